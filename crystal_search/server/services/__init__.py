"""The steps of a work unit's way, from create-work to set-autoscore, and the loop over them."""
