# The Debian packages that the formats are better with, for contrib/try and contrib/test: as `formats` lists them.
# shellcheck shell=sh disable=SC2034
HELPERS='libarchive13 libmagic1 7zip unar lhasa cabextract lzop lrzip'
