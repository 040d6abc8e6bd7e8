"""What hosts of assistants are given, and whether they would accept it.

lint       OpenAPI as ChatGPT reads it      manifest   the custom GPT, and the plugin that follows it
examples   are what their schemas say       walk       through a document that may be wrong
"""
