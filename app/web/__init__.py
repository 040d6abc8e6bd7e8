"""What people see: pages that need no script.

pages      templates → HTML          words   scopes, kinds and times in plain words
"""
