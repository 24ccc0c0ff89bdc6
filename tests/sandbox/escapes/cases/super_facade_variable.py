# family: super
# expect: blocked
# control: plain
# why: The first argument of super() is a class of the bot's own; a facade's own base is not the bot's to ask.
class Mine(dict): pass
kind, it = dict, Mine()
breach(super(kind, it).__init__)
