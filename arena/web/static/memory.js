// What this browser remembers. It is a convenience: storage may be full, forbidden or broken.

export const memory = {
  read(name, otherwise) {
    try {
      return JSON.parse(localStorage.getItem(`arena.${name}`)) ?? otherwise;
    } catch {
      return otherwise;
    }
  },
  write(name, value) {
    try {
      localStorage.setItem(`arena.${name}`, JSON.stringify(value));
    } catch {
      // Nothing depends on it.
    }
  },
};

const OWN = 100;

/** Bots and submissions sent from this browser, newest first: [{id, …}]. */
function list(name) {
  const found = memory.read(name, []);
  return Array.isArray(found) ? found.filter((entry) => typeof entry?.id === "string") : [];
}

const add = (name, entry) => memory.write(name, [entry, ...list(name).filter(({ id }) => id !== entry.id)].slice(0, OWN));

export const ownBots = () => list("bots");
export const ownSubmissions = () => list("submissions");
export const rememberBot = (id, facts = {}) => add("bots", { id, ...facts });
export const rememberSubmission = (id, prompt) => add("submissions", { id, prompt: prompt.slice(0, 90) });
export const isOwn = (id) => ownBots().some((bot) => bot.id === id);
