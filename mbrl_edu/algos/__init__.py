"""The methods of the book, one file each, named as its pages name them."""
