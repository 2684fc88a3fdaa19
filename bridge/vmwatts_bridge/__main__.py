# SPDX-License-Identifier: Apache-2.0
from vmwatts_bridge.main import main

raise SystemExit(main())
