"""One file per format; each defines DECODER or DECODERS."""
