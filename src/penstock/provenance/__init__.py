"""Provenance of a run: seeds, source tree, code digests, environment, hardware."""

from typing import TYPE_CHECKING

from penstock.core import lazy_exports

if TYPE_CHECKING:
    from penstock.provenance._code import CodeDigest as CodeDigest
    from penstock.provenance._code import code_digest as code_digest
    from penstock.provenance._code import effects_digest as effects_digest
    from penstock.provenance._code import value_digest as value_digest
    from penstock.provenance._deterministic import deterministic as deterministic
    from penstock.provenance._deterministic import generator_states as generator_states
    from penstock.provenance._deterministic import keep_generators as keep_generators
    from penstock.provenance._deterministic import (
        set_generator_states as set_generator_states,
    )
    from penstock.provenance._environment import capture_environment as capture_environment
    from penstock.provenance._environment import capture_hardware as capture_hardware
    from penstock.provenance._inotify import FolderWatch as FolderWatch
    from penstock.provenance._kept_state import StateChanges as StateChanges
    from penstock.provenance._kept_state import StateKeeper as StateKeeper
    from penstock.provenance._library_settings import is_object_setting as is_object_setting
    from penstock.provenance._library_settings import (
        keep_library_settings as keep_library_settings,
    )
    from penstock.provenance._library_settings import (
        library_setting_objects as library_setting_objects,
    )
    from penstock.provenance._library_settings import library_settings as library_settings
    from penstock.provenance._library_settings import (
        use_library_settings as use_library_settings,
    )
    from penstock.provenance._loaded import StepRunning as StepRunning
    from penstock.provenance._loaded import watch_imports as watch_imports
    from penstock.provenance._lookups import note_read as note_read
    from penstock.provenance._lookups import recording as recording
    from penstock.provenance._manifest import build_manifest as build_manifest
    from penstock.provenance._manifest import hide_secrets as hide_secrets
    from penstock.provenance._manifest import manifest_difference as manifest_difference
    from penstock.provenance._manifest import show_command as show_command
    from penstock.provenance._manifest import unrecorded as unrecorded
    from penstock.provenance._own import is_own as is_own
    from penstock.provenance._own import is_own_code as is_own_code
    from penstock.provenance._own import is_own_module as is_own_module
    from penstock.provenance._own import loaded_modules as loaded_modules
    from penstock.provenance._patches import Patches as Patches
    from penstock.provenance._patches import find_patches as find_patches
    from penstock.provenance._patches import make_patches as make_patches
    from penstock.provenance._patches import missing_patches as missing_patches
    from penstock.provenance._requirements import Requirements as Requirements
    from penstock.provenance._requirements import read_requirements as read_requirements
    from penstock.provenance._seeds import derive_seed as derive_seed
    from penstock.provenance._source import SourceTree as SourceTree
    from penstock.provenance._source import capture_source as capture_source
    from penstock.provenance._source import import_folders as import_folders
    from penstock.provenance._source import list_outside as list_outside
    from penstock.provenance._source import loaded_source as loaded_source
    from penstock.provenance._source import restore_source as restore_source
    from penstock.provenance._trace import changed_products as changed_products
    from penstock.provenance._trace import find_change as find_change
    from penstock.provenance._trace import merge_traces as merge_traces

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "CodeDigest": "_code",
        "Requirements": "_requirements",
        "SourceTree": "_source",
        "FolderWatch": "_inotify",
        "StateChanges": "_kept_state",
        "StateKeeper": "_kept_state",
        "build_manifest": "_manifest",
        "capture_environment": "_environment",
        "capture_hardware": "_environment",
        "capture_source": "_source",
        "code_digest": "_code",
        "derive_seed": "_seeds",
        "deterministic": "_deterministic",
        "changed_products": "_trace",
        "find_change": "_trace",
        "effects_digest": "_code",
        "is_own": "_own",
        "is_own_code": "_own",
        "is_own_module": "_own",
        "keep_library_settings": "_library_settings",
        "is_object_setting": "_library_settings",
        "library_setting_objects": "_library_settings",
        "library_settings": "_library_settings",
        "Patches": "_patches",
        "find_patches": "_patches",
        "make_patches": "_patches",
        "missing_patches": "_patches",
        "use_library_settings": "_library_settings",
        "loaded_modules": "_own",
        "StepRunning": "_loaded",
        "value_digest": "_code",
        "watch_imports": "_loaded",
        "note_read": "_lookups",
        "hide_secrets": "_manifest",
        "import_folders": "_source",
        "list_outside": "_source",
        "loaded_source": "_source",
        "unrecorded": "_manifest",
        "generator_states": "_deterministic",
        "keep_generators": "_deterministic",
        "set_generator_states": "_deterministic",
        "manifest_difference": "_manifest",
        "show_command": "_manifest",
        "merge_traces": "_trace",
        "read_requirements": "_requirements",
        "recording": "_lookups",
        "restore_source": "_source",
    },
)
