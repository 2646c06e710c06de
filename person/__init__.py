"""Person re-identification: embed crops of people, rank galleries, measure the ranking."""
