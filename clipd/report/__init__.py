"""What clipd tells of itself and of a tree: overview, plan, checkup, signs of life."""
