"""How often each may ask, and has asked.

budgets   what there is to spend, for each class of requests
limiter   what was spent in this process            shared    and in the others, over Redis
networks  whom an address belongs to
"""
