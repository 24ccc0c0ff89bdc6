"""How programs come in: prompts through a writer, uploads, and the drop-in folder."""
