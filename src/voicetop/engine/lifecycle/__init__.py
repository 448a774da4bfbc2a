"""How calls begin, wait, are lost and come back."""
