"""The OpenAPI documents, made of the handlers that serve what they describe.

documents  the two of them                document   handlers → OpenAPI 3.1
hosts      3.1 → 3.0.1, for assistants    schemas    JSON Schemas
serving    with this server's address
"""
