"""What an extension keeps of each page, with the state of the build.

``keep(app, name)`` makes ``env.NAME`` a dict by page: a page that is read again
or gone is forgotten, and what another process read is taken over.
"""

from __future__ import annotations


def keep(app, name: str) -> None:
    def start(app):
        if not hasattr(app.env, name):
            setattr(app.env, name, {})

    def purge(app, env, docname):
        getattr(env, name).pop(docname, None)

    def merge(app, env, docnames, other):
        theirs = getattr(other, name)
        getattr(env, name).update((d, theirs[d]) for d in docnames if d in theirs)

    app.connect("builder-inited", start, priority=100)  # before who reads it
    app.connect("env-purge-doc", purge)
    app.connect("env-merge-info", merge)
