# family: guards
# expect: refused
# control: none
# why: The guards have names that no Python source can spell.
"@getattr" = 1
