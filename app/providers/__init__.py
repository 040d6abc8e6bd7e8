"""Model APIs → text, as it comes.

- `provider`: what a provider is: `Provider`, `Ask`, `End`, `ProviderFailed`
- `http`: one request to a model API, read as an event stream
- `openai`, `gemini`, `anthropic`: what they are asked, and what their events say
- `scripted`: a provider that needs no key and says the same each time
- `words`: text that can be kept, out of JSON cut anywhere
- `choice`: the providers that there are keys for
"""

from app.providers.choice import Providers, provided
from app.providers.provider import Ask, End, Provider, ProviderFailed
from app.providers.scripted import Scripted

__all__ = ["Ask", "End", "Provider", "ProviderFailed", "Providers", "Scripted", "provided"]
