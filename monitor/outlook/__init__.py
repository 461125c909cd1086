"""What may come: the crossover model, scenarios, milestones."""
