"""How a report looks: what the mediator's pages (``server.report``) and a party's own (``clients.report``) share.

It stands here, beside the files and the pictures that both sides write, because neither may import the other; and as
texts in .py files, because a Flower app carries no others.
"""
