# SPDX-License-Identifier: Apache-2.0
"""Work for some seconds under CodeCarbon, and print what it says: codecarbon_reads.py SECONDS

begin_s and end_s are since this process started, so that the same window can be cut out of what
`vmwatts run --rows` says.
"""
import json
import sys
import time

from codecarbon import OfflineEmissionsTracker


def since_start():
    with open("/proc/self/stat") as f:
        ticks = int(f.read().rsplit(")", 1)[1].split()[19])
    return time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / 100


tracker = OfflineEmissionsTracker(country_iso_code="FRA", measure_power_secs=1, tracking_mode="machine",
                                  save_to_file=False, log_level="error", allow_multiple_runs=True)
end = time.monotonic() + 1 # no jump of the load where its window begins
while time.monotonic() < end:
    pass
tracker.start()
begin_s = since_start()
end = time.monotonic() + float(sys.argv[1])
while time.monotonic() < end:
    pass
end_s = since_start()
tracker.stop()
data = tracker.final_emissions_data
print(json.dumps({"begin_s": begin_s, "end_s": end_s, "cpu_j": data.cpu_energy * 3.6e6,
                  "by": [type(h).__name__ + " " + getattr(h, "_mode", "") for h in tracker._hardware]}))
