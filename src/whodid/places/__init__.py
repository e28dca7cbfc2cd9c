"""Places that hold files: a folder, S3, Google Cloud Storage, Azure. See `base.Place`."""

from whodid.places.base import KINDS, File, Kind, Place, kind_of, open_place

__all__ = ["KINDS", "File", "Kind", "Place", "kind_of", "open_place"]
