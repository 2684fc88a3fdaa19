# SPDX-License-Identifier: Apache-2.0
"""A server for models of VM power that Python made: see main.py."""
