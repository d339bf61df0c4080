"""Pictures with mattes: folders of them, and clips made from them."""
