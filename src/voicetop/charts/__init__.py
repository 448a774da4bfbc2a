"""Chart geometry without a canvas: scales, ticks, resampling, braille lines, bars. Drawn by `ui` in cells."""
