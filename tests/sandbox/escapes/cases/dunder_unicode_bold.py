# family: dunder
# expect: refused
# control: plain
# why: Mathematical letters fold as well.
hand_over((lambda: 0).__𝐜𝐨𝐝𝐞__)
