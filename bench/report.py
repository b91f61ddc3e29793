def write(a,b): pass
def publish(a,b): pass
