"""Chart geometry: scales, ticks, resampling, braille lines, bars. `ui` draws the cells."""
