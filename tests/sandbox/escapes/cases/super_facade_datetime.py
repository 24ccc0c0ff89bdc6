# family: super
# expect: blocked
# control: none
# why: The first argument of super() is a class of the bot's own; a facade's own base is not the bot's to ask.
from datetime import datetime
breach(super(datetime, datetime).now())
