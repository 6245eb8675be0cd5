"""What stands in a rendered well: vessel, drop, crystals, precipitates, skins, dirt."""
