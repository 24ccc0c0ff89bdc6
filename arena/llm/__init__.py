"""Who writes bots: a language model behind any OpenAI-compatible server, or the template provider."""
