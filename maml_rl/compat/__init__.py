"""The interface of 2020: objects that own a live policy, with the signatures that scripts of that time call.

Each is a thin coat over the parts that everything else is made of.
"""
