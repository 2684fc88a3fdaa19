# SPDX-License-Identifier: Apache-2.0
"""The messages are made from ../proto at build time, so that there is one description of the protocol."""
import pathlib

from grpc_tools import protoc
from setuptools import setup
from setuptools.command.build_py import build_py

HERE = pathlib.Path(__file__).resolve().parent


class WithMessages(build_py):
    def run(self) -> None:
        super().run()
        to = HERE / "vmwatts_bridge" if self.editable_mode else pathlib.Path(self.build_lib) / "vmwatts_bridge"
        proto = HERE.parent / "proto"
        if protoc.main(["protoc", f"-I{proto}", f"--python_out={to}", str(proto / "power_estimation.proto")]):
            raise SystemExit("protoc failed on power_estimation.proto")


setup(cmdclass={"build_py": WithMessages})
