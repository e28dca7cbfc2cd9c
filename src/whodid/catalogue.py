def topic_of(n): return "generic"
def level_of(n,t): return "audit"
