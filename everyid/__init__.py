"""The shared floor of EveryID: types, devices, compiled inference, media and weights."""
