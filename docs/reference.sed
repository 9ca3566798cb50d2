# links within a page, and to what is no page of the reference, as their text
s/!?\[([^]]*)\]\((#|docs\/gallery|gallery|reproduced\/|(\.\.\/)*(tools|models|examples|packaging|include|COPYING))[^)]*\)/\1/g
