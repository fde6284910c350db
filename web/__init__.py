"""The HTTP door: one thin skin over the same services, for host applications, for staff and for members.

Only `keizoku serve` and `keizoku api` import it; it stands on FastAPI, of the extra `web`.
"""
