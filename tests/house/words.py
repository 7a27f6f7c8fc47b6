"""The phrases and names that are not plain English here, each with what to write instead.

A phrase is a pattern, matched without regard to case; a space in it matches any white space.
"""

PHRASES = {
    r"\bwhoever\b": "the caller, the client, the user",
    r"(?<!one\s)(?<!two\s)(?<!all\s)(?<!both\s)(?<!some\s)(?<!each\s)(?<!most\s)(?<!none\s)"
    r"\bof (which|whom)\b": "whose, that",
    r"\b(to|for|by) who\b(?! is| are)": "to the user who",
    r"\banew\b": "again",
    r"\bbeside\b": "next to, in addition to",
    r"\b(told|tells?|telling) of\b": "is notified of, reports",
    r"\bso many\b": "this many, up to N",
    r"(?<!there\s)\b(is|are|was|were) no (?!longer\b|more than\b|later\b|earlier\b|less\b|fewer\b)\w+": "is not",
    r"\bha(s|ve) not(?= (a|an|the|any|one)\b| ?[,.;:)])": "does not have, lacks",
    r"\bwhat is so\b": "what holds",
    r"\bas (it is|they are)(?= ?[,.;:)])": "unchanged",
    r"\bof (its|their|your|his|her|one's) own\b": "its own X",
    r"\bof (ours|theirs|mine|yours)\b": "our X, their X",
    r"\bfor ever\b": "forever, indefinitely",
    r"\ball the same\b": "anyway, still",
    r"\bnobody\b": "no client, no one",
    r"\bsomebody\b": "a user, another process",
    r"\bnothing but\b|\bnone but\b": "only",
    r"\bbut for\b": "except for",
    r"\bshall\b": "must, will",
    r"\b(un|left )told\b": "unpublished, not reported",
    r"\bunless (said|told|asked)\b": "by default",
    r"\bwhat (is|was|were) (said|told|asked|wanted|found|made)\b": "name it: the request, the result, the value",
    r"\b(is|are|was|were|be|been|being) (told|said)\b": "is notified, is passed, is reported",
    r"\basked for\b": "requested",
    r"\b(in|into|to) the cut\b": "selected",
    r"\bwhat (became|becomes|has become) of\b": "the outcome of",
    r"\b(make|makes|made|making) again\b": "regenerate, render again",
    r"\b(no|is|are) news\b": "changed, new",
    r"\bstands? (in|on|behind|before|there|here|nowhere|where)\b": "is, appears",
    r"\b(ashore|adrift)\b": "stalled, recovered",
    r"\bthe house\b|\bhouse of\b": "the services",
    r"\b(the|a|in at the) doors?\b": "the route, the entry point",
    r"\b(the|a) shel(f|ves)\b": "the candidates",
    r"\bsay so\b|\bsays so\b": "say which, state it",
}

# Whole names, without their leading underscores, as words: `MadeBy` is `made_by`.
NAMES = {
    "told": "notified, passed: name the value",
    "said": "name the value: declared, text, message",
    "asked": "name the value: request, requested",
    "found": "name the value: match, matches, result",
    "wanted": "name the value: expected, requested",
    "made": "name the value: created, result",
    "known": "name the value: known_ids, existing",
    "seen": "name the value: seen_ids, record",
    "moved": "name the value: changed, renamed",
    "kept": "name the value: stored, retained",
    "one": "the singular of the collection",
    "these": "the plural noun",
    "those": "the plural noun",
    "here": "name the value: reachable, current",
    "there": "name the value: target, exists",
    "wish": "request",
    "hopes": "restore_candidates",
    "seat": "planned_segment",
    "chosen": "selected",
    "settle": "name what it does: resolve, commit, finish",
    "tell": "name what it does: notify, report, publish",
    "look": "name what it does: probe, inspect, read",
    "news": "changes",
}

# Words that are wrong anywhere in a name.
NAME_PARTS = {
    "said": "name the value: declared, parsed",
    "told": "name the value: notified, reported",
    "untold": "pending",
    "ashore": "requeue, recover",
    "adrift": "stalled",
    "hopes": "candidates",
    "house": "services",
    "door": "route",
    "doors": "routes",
    "shelf": "candidates",
    "beside": "next_to, adjacent",
    "anew": "again",
    "whoever": "caller",
}

# First words of a function's docstring that are not verbs in the imperative.
NOT_IMPERATIVE = 'begin with a verb in the imperative: "Return …", "Raise ``Invalid`` if …", "Store …"'
OPENERS = {
    **dict.fromkeys(("the", "a", "an", "all", "one", "every", "each", "both", "some", "any", "no"), '"Return the …"'),
    **dict.fromkeys(("this", "these", "those", "its", "their", "another", "other", "new"), '"Return the …"'),
    **dict.fromkeys(("whether", "if"), '"Return whether …"'),
    **dict.fromkeys(("true:", "false:", "true", "false", "none"), '"Return true if …"'),
    **dict.fromkeys(("what", "which", "who", "how", "where", "why", "when"), '"Return the …", "Return whether …"'),
    **dict.fromkeys(("it", "they", "that", "there", "nothing", "everything", "only", "even", "also"), NOT_IMPERATIVE),
    **dict.fromkeys(("for", "by", "in", "of", "from", "with", "as", "at", "on", "to", "after"), NOT_IMPERATIVE),
    **dict.fromkeys(("before", "since", "up", "whatever", "whichever", "whoever", "early", "half"), NOT_IMPERATIVE),
}
