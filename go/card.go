// SPDX-License-Identifier: Apache-2.0

package vmwatts

/*
#include <vmwatts/vmwatts.h>
*/
import "C"

import "time"

// Card is what a bundle says of itself. Figures are for rows left out of training.
type Card struct {
	Name, Version string
	Scope         string // "vm_active", "node_total" or "platform"
	CPUModel      string // of the machine trained on; "" any
	Sequence      int64  // orders versions of one name
	Created       time.Time
	Expires       time.Time // zero: never
	Interval      time.Duration
	Window        time.Duration
	VCPUsMin      int // of the machines trained on; 0 not known
	VCPUsMax      int
	Models        map[string][]CardModel // by zone, best first
	JSON          string                 // the whole card, as train wrote it
}

// CardModel is one model of a zone.
type CardModel struct {
	Family, Tier string
	Definition   string // of uncore
	History      bool   // only sessions use it
	Groups       int    // independent recordings among the rows
	Rows         uint64
	WMAPE        float64 // error as a share of mean watts
	MAEWatts     float64
	Coverage90   float64
	MaxWatts     float64
}

// readCard gives nil where the prior answers.
func readCard(v *C.struct_vmwatts) *Card {
	var c C.struct_vmwatts_card
	c.sz = C.sizeof_struct_vmwatts_card
	if C.vmwatts_card_get(v, &c) < 0 {
		return nil
	}
	card := &Card{
		Name: C.GoString(&c.name[0]), Version: C.GoString(&c.version[0]), Scope: C.GoString(&c.scope[0]),
		CPUModel: C.GoString(&c.cpu_model[0]), Sequence: int64(c.sequence), Created: time.Unix(int64(c.created_s), 0),
		Interval: seconds(float64(c.interval_s)), Window: seconds(float64(c.window_s)),
		VCPUsMin: int(c.vcpus_min), VCPUsMax: int(c.vcpus_max),
		Models: make(map[string][]CardModel), JSON: C.GoString(C.vmwatts_card_json(v)),
	}
	if c.expires_s != 0 {
		card.Expires = time.Unix(int64(c.expires_s), 0)
	}
	for zone, name := range zoneNames {
		card.Models[name] = readCardModels(v, zone)
	}
	return card
}

func readCardModels(v *C.struct_vmwatts, zone int) (models []CardModel) {
	for i := 0; ; i++ {
		var c C.struct_vmwatts_card_model
		c.sz = C.sizeof_struct_vmwatts_card_model
		if C.vmwatts_card_model_get(v, C.int(zone), C.size_t(i), &c) < 0 {
			return models
		}
		models = append(models, CardModel{
			Family: C.GoString(&c.family[0]), Tier: C.GoString(&c.tier[0]), Definition: C.GoString(&c.definition[0]),
			History: c.history != 0, Groups: int(c.groups), Rows: uint64(c.rows), WMAPE: float64(c.wmape),
			MAEWatts: float64(c.mae_w), Coverage90: float64(c.coverage_90), MaxWatts: float64(c.max_w),
		})
	}
}
