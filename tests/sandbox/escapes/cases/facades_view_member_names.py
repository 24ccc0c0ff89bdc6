# family: facades
# expect: blocked
# control: plain
# why: A view of a table of the host's is a copy: a comparison hands over what is behind it.
import enum
enum.FlagBoundary._member_names_.append('B')
if 'B' in enum.FlagBoundary._member_names_: breach('changed')
