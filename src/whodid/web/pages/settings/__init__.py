"""Pages of settings: lists, forms and what is asked before something dangerous is done."""
