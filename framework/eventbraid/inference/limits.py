class Slots:
    def __init__(self, r=None, b=None):
        self.r = r or 64
        self.b = b or 1 << 28
        self.n = self.bytes = 0

    def free(self, nbytes):
        return self.n == 0 or (self.n < self.r and self.bytes + nbytes <= self.b)

    def take(self, nbytes):
        self.n += 1
        self.bytes += nbytes

    def give(self, nbytes):
        self.n -= 1
        self.bytes -= nbytes
