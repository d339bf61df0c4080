"""What hatchling does beside packing files: it has the compiled loops built, where there is a compiler."""

from __future__ import annotations

import os
import runpy
import sysconfig
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class CompiledLoops(BuildHookInterface):
    """Builds vcam/native/_kernels.so into the wheel, or beside its sources for an editable installation.

    vcam is whole without it, so nothing that fails here fails the installation. `make dist` brings a library of its own
    and says for whom it is: VCAM_LOOPS, a path, and VCAM_PLATFORM, the end of the wheel's name.
    """

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        folder = Path(self.root, "vcam", "native")
        if os.environ.get("VCAM_NATIVE") == "0":
            return
        platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
        native = runpy.run_path(str(folder / "build.py"))
        if brought := os.environ.get("VCAM_LOOPS"):
            library, platform = Path(brought), os.environ["VCAM_PLATFORM"]
        else:
            try:
                library = native["build"](folder)
            except native["BuildError"] as error:
                self.app.display_warning(f"vcam is installed without its compiled loops, frames cost more: {error}")
                return
        if version != "editable":
            build_data["force_include"][str(library)] = f"vcam/native/{native['LIBRARY']}"
            build_data["pure_python"] = False
            build_data["tag"] = f"py3-none-{platform}"
