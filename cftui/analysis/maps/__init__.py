"""Maps of the items: components, named axes, robust PCA, pictures."""
