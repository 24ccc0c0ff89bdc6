// A backtest or a tournament while it is played: how far it is, and its page once it is done.

import { get, write } from "./api.js";
import { $, badge } from "./dom.js";

const job = $("job").dataset.job;
let began = null;

function draw({ status, progress, reason }) {
  if (status === "done") {
    location.reload();
    return;
  }
  badge($("job-status"), status);
  $("job-progress").value = progress;
  $("job-cancel").hidden = !["queued", "running"].includes(status);
  began ??= progress > 0 ? { at: performance.now(), progress } : null;
  const gone = began ? progress - began.progress : 0;
  const left = gone > 0.02 ? ((performance.now() - began.at) / gone) * (1 - progress) / 1000 : null;
  $("job-said").textContent = reason ?? (status === "queued" ? "It waits for the work before it." : status === "running" ? `${Math.round(progress * 100)} %${left === null ? "" : `, about ${Math.ceil(left)} s left`}` : "");
}

const events = new EventSource(`/api/v1/jobs/${encodeURIComponent(job)}/events`);
events.addEventListener("job", ({ data }) => {
  const found = JSON.parse(data);
  if (!["queued", "running"].includes(found.status)) events.close();
  draw(found);
});
// A server that was started anew has ended the job; its row says so.
events.addEventListener("error", () => get(`/jobs/${encodeURIComponent(job)}`).then((found) => {
  if (!["queued", "running"].includes(found.status)) { events.close(); draw(found); }
}).catch(() => {}));
$("job-cancel").addEventListener("click", () => write("DELETE", `/jobs/${encodeURIComponent(job)}`).then(draw).catch((error) => { $("job-said").textContent = error.message; }));
