# family: imports
# expect: blocked
# control: none
# why: An encoding cookie means nothing.
# -*- coding: utf-7 -*-
x = "+AAo-breach(1)"
# +AAo-breach("decoded")
