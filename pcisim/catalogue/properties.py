"""Which properties each device of QEMU takes, and of what type.

Verified against QEMU 7.2.22 (Debian bookworm) itself, ``-device X,help``.  To ask again:
``python -m tests.qemu.measure_properties --check``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from types import MappingProxyType
from typing import NamedTuple

# A row is a device and what it has beyond row "*", and beyond "@virtio" if it names that; with a minus what it lacks.
# table
_PCI = """\
* acpi-index:uint32 addr:int32 failover_pair_id:str multifunction:bool rombar:uint32 romfile:str
  romsize:uint32 x-pcie-extcap-init:bool x-pcie-lnksta-dllla:bool
@virtio aer:bool any_layout:bool ats:bool disable-legacy:OnOffAuto disable-modern:bool event_idx:bool
  indirect_desc:bool iommu_platform:bool migrate-extra:bool modern-pio-notify:bool notify_on_empty:bool
  packed:bool page-per-vq:bool queue_reset:bool use-disabled-flag:bool use-started:bool
  virtio-pci-bus-master-bug-migration:bool x-ats-page-aligned:bool x-disable-legacy-check:bool
  x-disable-pcie:bool x-ignore-backend-features:bool x-pcie-deverr-init:bool x-pcie-flr-init:bool
  x-pcie-lnkctl-init:bool x-pcie-pm-init:bool
AC97 audiodev:str
AMDVI-PCI
ES1370 audiodev:str
VGA big-endian-framebuffer:bool edid:bool global-vmstate:bool mmio:bool qemu-extended-regs:bool
  refresh_rate:uint32 vgamem_mb:uint32 xmax:uint32 xres:uint32 ymax:uint32 yres:uint32
acpi-erst memdev:link record_size:uint32
am53c974
ati-vga guest_hwcursor:bool model:str vgamem_mb:uint32 x-device-id:uint16 x-pixman:uint8
bochs-display big-endian-framebuffer:bool edid:bool refresh_rate:uint32 vgamem:size xmax:uint32 xres:uint32
  ymax:uint32 yres:uint32
cirrus-vga blitter:bool global-vmstate:bool vgamem_mb:uint32
ctucan_pci canbus0:link canbus1:link
cxl-downstream aer_log_max:uint16 chassis:uint8 hotplug:bool port:uint8 slot:uint16 x-native-hotplug:bool
cxl-rp aer_log_max:uint16 bus-reserve:uint32 chassis:uint8 disable-acs:bool hotplug:bool io-reserve:size
  mem-reserve:size port:uint8 power_controller_present:bool pref32-reserve:size pref64-reserve:size
  slot:uint16 x-native-hotplug:bool
cxl-type3 cdat:str lsa:link memdev:link sn:uint64
cxl-upstream aer_log_max:uint16 cdat:str port:uint8
dc390
e1000 autonegotiation:bool bootindex:int32 extra_mac_registers:bool init-vet:bool mac:str
  migrate_tso_props:bool mitigation:bool netdev:str
e1000-82544gc autonegotiation:bool bootindex:int32 extra_mac_registers:bool init-vet:bool mac:str
  migrate_tso_props:bool mitigation:bool netdev:str
e1000-82545em autonegotiation:bool bootindex:int32 extra_mac_registers:bool init-vet:bool mac:str
  migrate_tso_props:bool mitigation:bool netdev:str
e1000e bootindex:int32 disable_vnet_hdr:uint8 init-vet:bool mac:str netdev:str subsys:uint16 subsys_ven:uint16
edu dma_mask:uint64
i6300esb
i82550 bootindex:int32 mac:str netdev:str
i82551 bootindex:int32 mac:str netdev:str
i82557a bootindex:int32 mac:str netdev:str
i82557b bootindex:int32 mac:str netdev:str
i82557c bootindex:int32 mac:str netdev:str
i82558a bootindex:int32 mac:str netdev:str
i82558b bootindex:int32 mac:str netdev:str
i82559a bootindex:int32 mac:str netdev:str
i82559b bootindex:int32 mac:str netdev:str
i82559c bootindex:int32 mac:str netdev:str
i82559er bootindex:int32 mac:str netdev:str
i82562 bootindex:int32 mac:str netdev:str
i82801 bootindex:int32 mac:str netdev:str
i82801b11-bridge
ich9-ahci
ich9-intel-hda debug:uint32 msi:OnOffAuto old_msi_addr:bool
ich9-usb-ehci1 maxframes:uint32
ich9-usb-ehci2 maxframes:uint32
ich9-usb-uhci1 bandwidth:uint32 firstport:uint32 masterbus:str maxframes:uint32
ich9-usb-uhci2 bandwidth:uint32 firstport:uint32 masterbus:str maxframes:uint32
ich9-usb-uhci3 bandwidth:uint32 firstport:uint32 masterbus:str maxframes:uint32
ich9-usb-uhci4 bandwidth:uint32 firstport:uint32 masterbus:str maxframes:uint32
ich9-usb-uhci5 bandwidth:uint32 firstport:uint32 masterbus:str maxframes:uint32
ich9-usb-uhci6 bandwidth:uint32 firstport:uint32 masterbus:str maxframes:uint32
intel-hda debug:uint32 msi:OnOffAuto old_msi_addr:bool
ioh3420 aer_log_max:uint16 chassis:uint8 disable-acs:bool hotplug:bool port:uint8
  power_controller_present:bool slot:uint16 x-native-hotplug:bool
ivshmem-doorbell chardev:str ioeventfd:bool master:OnOffAuto vectors:uint32
ivshmem-plain master:OnOffAuto memdev:link
kvaser_pci canbus:link
lsi53c810
lsi53c895a
megasas hba_serial:str max_cmds:uint32 max_sge:uint32 msi:OnOffAuto msix:OnOffAuto sas_address:uint64
  use_jbod:bool
megasas-gen2 hba_serial:str max_cmds:uint32 max_sge:uint32 msi:OnOffAuto msix:OnOffAuto sas_address:uint64
  use_jbod:bool
mioe3680_pci canbus0:link canbus1:link
mptsas1068 msi:OnOffAuto sas_address:uint64
ne2k_pci bootindex:int32 mac:str netdev:str
nec-usb-xhci force-pcie-endcap:bool host:link intrs:uint32 msi:OnOffAuto msix:OnOffAuto p2:uint32 p3:uint32
  slots:uint32 streams:bool superspeed-ports-first:bool
nvme account-failed:OnOffAuto account-invalid:OnOffAuto aer_max_queued:uint32 aerl:uint8
  backend_defaults:OnOffAuto bootindex:int32 cmb_size_mb:uint32 discard_granularity:size drive:str
  ioeventfd:bool logical_block_size:size max_ioqpairs:uint32 mdts:uint8 min_io_size:size
  msix-exclusive-bar:bool msix_qsize:uint16 num_queues:uint32 opt_io_size:size physical_block_size:size
  pmrdev:link serial:str share-rw:bool smart_critical_warning:uint8 sriov_max_vfs:uint8
  sriov_max_vi_per_vf:uint8 sriov_max_vq_per_vf:uint8 sriov_vi_flexible:uint16 sriov_vq_flexible:uint16
  subsys:link use-intel-id:bool vsl:uint8 write-cache:OnOffAuto zoned.auto_transition:bool zoned.zasl:uint8
pci-bridge bus-reserve:uint32 chassis_nr:uint8 io-reserve:size mem-reserve:size msi:OnOffAuto
  pref32-reserve:size pref64-reserve:size shpc:bool
pci-bridge-seat bus-reserve:uint32 chassis_nr:uint8 io-reserve:size mem-reserve:size msi:OnOffAuto
  pref32-reserve:size pref64-reserve:size shpc:bool
pci-ipmi-bt bmc:link
pci-ipmi-kcs bmc:link
pci-ohci firstport:uint32 masterbus:str num-ports:uint32
pci-serial baudbase:uint32 chardev:str prog_if:uint8 wakeup:bool
pci-serial-2x chardev1:str chardev2:str prog_if:uint8
pci-serial-4x chardev1:str chardev2:str chardev3:str chardev4:str prog_if:uint8
pci-testdev membar:size
pcie-pci-bridge msi:OnOffAuto
pcie-root-port aer_log_max:uint16 bus-reserve:uint32 chassis:uint8 disable-acs:bool hotplug:bool
  io-reserve:size mem-reserve:size port:uint8 power_controller_present:bool pref32-reserve:size
  pref64-reserve:size slot:uint16 x-migrate-msix:bool x-native-hotplug:bool x-speed:PCIELinkSpeed
  x-width:PCIELinkWidth
pcm3680_pci canbus0:link canbus1:link
pcnet bootindex:int32 mac:str netdev:str
piix3-ide
piix3-usb-uhci bandwidth:uint32 maxframes:uint32
piix4-ide
piix4-usb-uhci bandwidth:uint32 maxframes:uint32
pvpanic-pci events:uint8
pvrdma dev-caps-max-ah:int32 dev-caps-max-cq:int32 dev-caps-max-mr:int32 dev-caps-max-mr-size:uint64
  dev-caps-max-pd:int32 dev-caps-max-qp:int32 dev-caps-max-qp-init-rd-atom:int32 dev-caps-max-srq:int32
  dev-caps-qp-rd-atom:int32 ibdev:str ibport:uint8 mad-chardev:str netdev:str
pvscsi use_msg:uint8 x-disable-pcie:bool x-old-pci-configuration:bool
pxb bus_nr:uint8 bypass_iommu:bool numa_node:uint16
pxb-cxl bus_nr:uint8 bypass_iommu:bool numa_node:uint16
pxb-pcie bus_nr:uint8 bypass_iommu:bool numa_node:uint16
qemu-xhci host:link p2:uint32 p3:uint32 streams:bool
qxl cmdlog:uint32 debug:uint32 global-vmstate:bool guestdebug:uint32 max_outputs:uint16 ram_size:uint32
  ram_size_mb:uint32 revision:uint32 surfaces:int32 vgamem_mb:uint32 vram64_size_mb:uint32 vram_size:uint64
  vram_size_mb:uint32 xres:uint32 yres:uint32
qxl-vga cmdlog:uint32 debug:uint32 global-vmstate:bool guestdebug:uint32 max_outputs:uint16 ram_size:uint32
  ram_size_mb:uint32 revision:uint32 surfaces:int32 vgamem_mb:uint32 vram64_size_mb:uint32 vram_size:uint64
  vram_size_mb:uint32 xres:uint32 yres:uint32
rocker fp_start_macaddr:str len-ports:uint32 name:str switch_id:uint64 world:str
rtl8139 bootindex:int32 mac:str netdev:str
sdhci-pci capareg:uint64 maxcurr:uint64 sd-spec-version:uint8 uhs:uint8 vendor:uint8
secondary-vga big-endian-framebuffer:bool edid:bool qemu-extended-regs:bool refresh_rate:uint32
  vgamem_mb:uint32 xmax:uint32 xres:uint32 ymax:uint32 yres:uint32
tpci200
tulip bootindex:int32 mac:str netdev:str
usb-ehci maxframes:uint32
vfio-pci bootindex:int32 display:OnOffAuto host:str sysfsdev:str x-balloon-allowed:bool
  x-enable-migration:bool x-igd-gms:uint32 x-igd-opregion:bool x-intx-mmap-timeout-ms:uint32
  x-msix-relocation:OffAutoPCIBAR x-no-geforce-quirks:bool x-no-kvm-intx:bool x-no-kvm-ioeventfd:bool
  x-no-kvm-msi:bool x-no-kvm-msix:bool x-no-mmap:bool x-no-vfio-ioeventfd:bool x-nv-gpudirect-clique:uint4
  x-pci-device-id:uint32 x-pci-sub-device-id:uint32 x-pci-sub-vendor-id:uint32 x-pci-vendor-id:uint32
  x-pre-copy-dirty-page-tracking:OnOffAuto x-req:bool x-vga:bool xres:uint32 yres:uint32
vfio-pci-igd-lpc-bridge
vfio-pci-nohotplug bootindex:int32 display:OnOffAuto host:str ramfb:bool sysfsdev:str x-balloon-allowed:bool
  x-enable-migration:bool x-igd-gms:uint32 x-igd-opregion:bool x-intx-mmap-timeout-ms:uint32
  x-msix-relocation:OffAutoPCIBAR x-no-geforce-quirks:bool x-no-kvm-intx:bool x-no-kvm-ioeventfd:bool
  x-no-kvm-msi:bool x-no-kvm-msix:bool x-no-mmap:bool x-no-vfio-ioeventfd:bool x-nv-gpudirect-clique:uint4
  x-pci-device-id:uint32 x-pci-sub-device-id:uint32 x-pci-sub-vendor-id:uint32 x-pci-vendor-id:uint32
  x-pre-copy-dirty-page-tracking:OnOffAuto x-req:bool x-vga:bool xres:uint32 yres:uint32
vhost-scsi-pci @virtio boot_tpgt:uint32 bootindex:int32 cmd_per_lun:uint32 max_sectors:uint32 migratable:bool
  num_queues:uint32 seg_max_adjust:bool t10_pi:bool vectors:uint32 vhostfd:str virtqueue_size:uint32 wwpn:str
vhost-scsi-pci-non-transitional aer:bool any_layout:bool ats:bool boot_tpgt:uint32 bootindex:int32
  cmd_per_lun:uint32 event_idx:bool indirect_desc:bool iommu_platform:bool max_sectors:uint32 migratable:bool
  migrate-extra:bool modern-pio-notify:bool notify_on_empty:bool num_queues:uint32 packed:bool
  page-per-vq:bool queue_reset:bool seg_max_adjust:bool t10_pi:bool use-disabled-flag:bool use-started:bool
  vectors:uint32 vhostfd:str virtio-pci-bus-master-bug-migration:bool virtqueue_size:uint32 wwpn:str
  x-ats-page-aligned:bool x-disable-legacy-check:bool x-disable-pcie:bool x-ignore-backend-features:bool
  x-pcie-deverr-init:bool x-pcie-flr-init:bool x-pcie-lnkctl-init:bool x-pcie-pm-init:bool
vhost-scsi-pci-transitional aer:bool any_layout:bool ats:bool boot_tpgt:uint32 bootindex:int32
  cmd_per_lun:uint32 event_idx:bool indirect_desc:bool iommu_platform:bool max_sectors:uint32 migratable:bool
  migrate-extra:bool modern-pio-notify:bool notify_on_empty:bool num_queues:uint32 packed:bool
  page-per-vq:bool queue_reset:bool seg_max_adjust:bool t10_pi:bool use-disabled-flag:bool use-started:bool
  vectors:uint32 vhostfd:str virtio-pci-bus-master-bug-migration:bool virtqueue_size:uint32 wwpn:str
  x-ats-page-aligned:bool x-disable-legacy-check:bool x-disable-pcie:bool x-ignore-backend-features:bool
  x-pcie-deverr-init:bool x-pcie-flr-init:bool x-pcie-lnkctl-init:bool x-pcie-pm-init:bool
vhost-user-blk-pci @virtio bootindex:int32 chardev:str class:uint32 config-wce:bool discard:bool
  num-queues:uint16 queue-size:uint32 vectors:uint32 write-zeroes:bool
vhost-user-blk-pci-non-transitional aer:bool any_layout:bool ats:bool bootindex:int32 chardev:str class:uint32
  config-wce:bool discard:bool event_idx:bool indirect_desc:bool iommu_platform:bool migrate-extra:bool
  modern-pio-notify:bool notify_on_empty:bool num-queues:uint16 packed:bool page-per-vq:bool queue-size:uint32
  queue_reset:bool use-disabled-flag:bool use-started:bool vectors:uint32
  virtio-pci-bus-master-bug-migration:bool write-zeroes:bool x-ats-page-aligned:bool
  x-disable-legacy-check:bool x-disable-pcie:bool x-ignore-backend-features:bool x-pcie-deverr-init:bool
  x-pcie-flr-init:bool x-pcie-lnkctl-init:bool x-pcie-pm-init:bool
vhost-user-blk-pci-transitional aer:bool any_layout:bool ats:bool bootindex:int32 chardev:str class:uint32
  config-wce:bool discard:bool event_idx:bool indirect_desc:bool iommu_platform:bool migrate-extra:bool
  modern-pio-notify:bool notify_on_empty:bool num-queues:uint16 packed:bool page-per-vq:bool queue-size:uint32
  queue_reset:bool use-disabled-flag:bool use-started:bool vectors:uint32
  virtio-pci-bus-master-bug-migration:bool write-zeroes:bool x-ats-page-aligned:bool
  x-disable-legacy-check:bool x-disable-pcie:bool x-ignore-backend-features:bool x-pcie-deverr-init:bool
  x-pcie-flr-init:bool x-pcie-lnkctl-init:bool x-pcie-pm-init:bool
vhost-user-fs-pci aer:bool any_layout:bool ats:bool bootindex:int32 chardev:str event_idx:bool
  indirect_desc:bool iommu_platform:bool migrate-extra:bool modern-pio-notify:bool notify_on_empty:bool
  num-request-queues:uint16 packed:bool page-per-vq:bool queue-size:uint16 queue_reset:bool tag:str
  use-disabled-flag:bool use-started:bool vectors:uint32 virtio-pci-bus-master-bug-migration:bool
  x-ats-page-aligned:bool x-disable-legacy-check:bool x-disable-pcie:bool x-ignore-backend-features:bool
  x-pcie-deverr-init:bool x-pcie-flr-init:bool x-pcie-lnkctl-init:bool x-pcie-pm-init:bool
vhost-user-gpio-pci aer:bool any_layout:bool ats:bool chardev:str event_idx:bool indirect_desc:bool
  iommu_platform:bool migrate-extra:bool modern-pio-notify:bool notify_on_empty:bool packed:bool
  page-per-vq:bool queue_reset:bool use-disabled-flag:bool use-started:bool
  virtio-pci-bus-master-bug-migration:bool x-ats-page-aligned:bool x-disable-legacy-check:bool
  x-disable-pcie:bool x-ignore-backend-features:bool x-pcie-deverr-init:bool x-pcie-flr-init:bool
  x-pcie-lnkctl-init:bool x-pcie-pm-init:bool
vhost-user-gpu-pci @virtio chardev:string edid:bool ioeventfd:bool max_outputs:uint32 vectors:uint32
  xres:uint32 yres:uint32
vhost-user-i2c-pci aer:bool any_layout:bool ats:bool chardev:str event_idx:bool indirect_desc:bool
  iommu_platform:bool migrate-extra:bool modern-pio-notify:bool notify_on_empty:bool packed:bool
  page-per-vq:bool queue_reset:bool use-disabled-flag:bool use-started:bool
  virtio-pci-bus-master-bug-migration:bool x-ats-page-aligned:bool x-disable-legacy-check:bool
  x-disable-pcie:bool x-ignore-backend-features:bool x-pcie-deverr-init:bool x-pcie-flr-init:bool
  x-pcie-lnkctl-init:bool x-pcie-pm-init:bool
vhost-user-input-pci @virtio chardev:string serial:str vectors:uint32
vhost-user-rng-pci aer:bool any_layout:bool ats:bool chardev:str event_idx:bool indirect_desc:bool
  iommu_platform:bool migrate-extra:bool modern-pio-notify:bool notify_on_empty:bool packed:bool
  page-per-vq:bool queue_reset:bool use-disabled-flag:bool use-started:bool vectors:uint32
  virtio-pci-bus-master-bug-migration:bool x-ats-page-aligned:bool x-disable-legacy-check:bool
  x-disable-pcie:bool x-ignore-backend-features:bool x-pcie-deverr-init:bool x-pcie-flr-init:bool
  x-pcie-lnkctl-init:bool x-pcie-pm-init:bool
vhost-user-scsi-pci @virtio boot_tpgt:uint32 bootindex:int32 chardev:str cmd_per_lun:uint32 hotplug:bool
  max_sectors:uint32 num_queues:uint32 param_change:bool t10_pi:bool vectors:uint32 virtqueue_size:uint32
vhost-user-scsi-pci-non-transitional aer:bool any_layout:bool ats:bool boot_tpgt:uint32 bootindex:int32
  chardev:str cmd_per_lun:uint32 event_idx:bool hotplug:bool indirect_desc:bool iommu_platform:bool
  max_sectors:uint32 migrate-extra:bool modern-pio-notify:bool notify_on_empty:bool num_queues:uint32
  packed:bool page-per-vq:bool param_change:bool queue_reset:bool t10_pi:bool use-disabled-flag:bool
  use-started:bool vectors:uint32 virtio-pci-bus-master-bug-migration:bool virtqueue_size:uint32
  x-ats-page-aligned:bool x-disable-legacy-check:bool x-disable-pcie:bool x-ignore-backend-features:bool
  x-pcie-deverr-init:bool x-pcie-flr-init:bool x-pcie-lnkctl-init:bool x-pcie-pm-init:bool
vhost-user-scsi-pci-transitional aer:bool any_layout:bool ats:bool boot_tpgt:uint32 bootindex:int32
  chardev:str cmd_per_lun:uint32 event_idx:bool hotplug:bool indirect_desc:bool iommu_platform:bool
  max_sectors:uint32 migrate-extra:bool modern-pio-notify:bool notify_on_empty:bool num_queues:uint32
  packed:bool page-per-vq:bool param_change:bool queue_reset:bool t10_pi:bool use-disabled-flag:bool
  use-started:bool vectors:uint32 virtio-pci-bus-master-bug-migration:bool virtqueue_size:uint32
  x-ats-page-aligned:bool x-disable-legacy-check:bool x-disable-pcie:bool x-ignore-backend-features:bool
  x-pcie-deverr-init:bool x-pcie-flr-init:bool x-pcie-lnkctl-init:bool x-pcie-pm-init:bool
vhost-user-vga @virtio big-endian-framebuffer:bool chardev:string edid:bool ioeventfd:bool max_outputs:uint32
  vectors:uint32 xres:uint32 yres:uint32
vhost-user-vsock-pci @virtio chardev:str seqpacket:OnOffAuto vectors:uint32
vhost-user-vsock-pci-non-transitional aer:bool any_layout:bool ats:bool chardev:str event_idx:bool
  indirect_desc:bool iommu_platform:bool migrate-extra:bool modern-pio-notify:bool notify_on_empty:bool
  packed:bool page-per-vq:bool queue_reset:bool seqpacket:OnOffAuto use-disabled-flag:bool use-started:bool
  vectors:uint32 virtio-pci-bus-master-bug-migration:bool x-ats-page-aligned:bool x-disable-legacy-check:bool
  x-disable-pcie:bool x-ignore-backend-features:bool x-pcie-deverr-init:bool x-pcie-flr-init:bool
  x-pcie-lnkctl-init:bool x-pcie-pm-init:bool
vhost-vsock-pci @virtio guest-cid:uint64 seqpacket:OnOffAuto vectors:uint32 vhostfd:str
vhost-vsock-pci-non-transitional aer:bool any_layout:bool ats:bool event_idx:bool guest-cid:uint64
  indirect_desc:bool iommu_platform:bool migrate-extra:bool modern-pio-notify:bool notify_on_empty:bool
  packed:bool page-per-vq:bool queue_reset:bool seqpacket:OnOffAuto use-disabled-flag:bool use-started:bool
  vectors:uint32 vhostfd:str virtio-pci-bus-master-bug-migration:bool x-ats-page-aligned:bool
  x-disable-legacy-check:bool x-disable-pcie:bool x-ignore-backend-features:bool x-pcie-deverr-init:bool
  x-pcie-flr-init:bool x-pcie-lnkctl-init:bool x-pcie-pm-init:bool
virtio-9p-pci @virtio fsdev:str ioeventfd:bool mount_tag:str vectors:uint32
virtio-9p-pci-non-transitional aer:bool any_layout:bool ats:bool event_idx:bool fsdev:str indirect_desc:bool
  ioeventfd:bool iommu_platform:bool migrate-extra:bool modern-pio-notify:bool mount_tag:str
  notify_on_empty:bool packed:bool page-per-vq:bool queue_reset:bool use-disabled-flag:bool use-started:bool
  vectors:uint32 virtio-pci-bus-master-bug-migration:bool x-ats-page-aligned:bool x-disable-legacy-check:bool
  x-disable-pcie:bool x-ignore-backend-features:bool x-pcie-deverr-init:bool x-pcie-flr-init:bool
  x-pcie-lnkctl-init:bool x-pcie-pm-init:bool
virtio-9p-pci-transitional aer:bool any_layout:bool ats:bool event_idx:bool fsdev:str indirect_desc:bool
  ioeventfd:bool iommu_platform:bool migrate-extra:bool modern-pio-notify:bool mount_tag:str
  notify_on_empty:bool packed:bool page-per-vq:bool queue_reset:bool use-disabled-flag:bool use-started:bool
  vectors:uint32 virtio-pci-bus-master-bug-migration:bool x-ats-page-aligned:bool x-disable-legacy-check:bool
  x-disable-pcie:bool x-ignore-backend-features:bool x-pcie-deverr-init:bool x-pcie-flr-init:bool
  x-pcie-lnkctl-init:bool x-pcie-pm-init:bool
virtio-balloon-pci @virtio deflate-on-oom:bool free-page-hint:bool free-page-reporting:bool guest-stats:guest
  guest-stats-polling-interval:int iothread:link page-poison:bool qemu-4-0-config-size:bool
virtio-balloon-pci-non-transitional aer:bool any_layout:bool ats:bool deflate-on-oom:bool event_idx:bool
  free-page-hint:bool free-page-reporting:bool guest-stats:guest guest-stats-polling-interval:int
  indirect_desc:bool iommu_platform:bool iothread:link migrate-extra:bool modern-pio-notify:bool
  notify_on_empty:bool packed:bool page-per-vq:bool page-poison:bool qemu-4-0-config-size:bool
  queue_reset:bool use-disabled-flag:bool use-started:bool virtio-pci-bus-master-bug-migration:bool
  x-ats-page-aligned:bool x-disable-legacy-check:bool x-disable-pcie:bool x-ignore-backend-features:bool
  x-pcie-deverr-init:bool x-pcie-flr-init:bool x-pcie-lnkctl-init:bool x-pcie-pm-init:bool
virtio-balloon-pci-transitional aer:bool any_layout:bool ats:bool deflate-on-oom:bool event_idx:bool
  free-page-hint:bool free-page-reporting:bool guest-stats:guest guest-stats-polling-interval:int
  indirect_desc:bool iommu_platform:bool iothread:link migrate-extra:bool modern-pio-notify:bool
  notify_on_empty:bool packed:bool page-per-vq:bool page-poison:bool qemu-4-0-config-size:bool
  queue_reset:bool use-disabled-flag:bool use-started:bool virtio-pci-bus-master-bug-migration:bool
  x-ats-page-aligned:bool x-disable-legacy-check:bool x-disable-pcie:bool x-ignore-backend-features:bool
  x-pcie-deverr-init:bool x-pcie-flr-init:bool x-pcie-lnkctl-init:bool x-pcie-pm-init:bool
virtio-blk-pci @virtio account-failed:OnOffAuto account-invalid:OnOffAuto backend_defaults:OnOffAuto
  bootindex:int32 class:uint32 config-wce:bool cyls:uint32 discard:bool discard_granularity:size drive:str
  heads:uint32 ioeventfd:bool iothread:link lcyls:uint32 lheads:uint32 logical_block_size:size lsecs:uint32
  max-discard-sectors:uint32 max-write-zeroes-sectors:uint32 min_io_size:size num-queues:uint16
  opt_io_size:size physical_block_size:size queue-size:uint16 report-discard-granularity:bool
  request-merging:bool rerror:BlockdevOnError scsi:bool secs:uint32 seg-max-adjust:bool serial:str
  share-rw:bool vectors:uint32 werror:BlockdevOnError write-cache:OnOffAuto write-zeroes:bool
  x-enable-wce-if-config-wce:bool
virtio-blk-pci-non-transitional account-failed:OnOffAuto account-invalid:OnOffAuto aer:bool any_layout:bool
  ats:bool backend_defaults:OnOffAuto bootindex:int32 class:uint32 config-wce:bool cyls:uint32 discard:bool
  discard_granularity:size drive:str event_idx:bool heads:uint32 indirect_desc:bool ioeventfd:bool
  iommu_platform:bool iothread:link lcyls:uint32 lheads:uint32 logical_block_size:size lsecs:uint32
  max-discard-sectors:uint32 max-write-zeroes-sectors:uint32 migrate-extra:bool min_io_size:size
  modern-pio-notify:bool notify_on_empty:bool num-queues:uint16 opt_io_size:size packed:bool page-per-vq:bool
  physical_block_size:size queue-size:uint16 queue_reset:bool report-discard-granularity:bool
  request-merging:bool rerror:BlockdevOnError scsi:bool secs:uint32 seg-max-adjust:bool serial:str
  share-rw:bool use-disabled-flag:bool use-started:bool vectors:uint32
  virtio-pci-bus-master-bug-migration:bool werror:BlockdevOnError write-cache:OnOffAuto write-zeroes:bool
  x-ats-page-aligned:bool x-disable-legacy-check:bool x-disable-pcie:bool x-enable-wce-if-config-wce:bool
  x-ignore-backend-features:bool x-pcie-deverr-init:bool x-pcie-flr-init:bool x-pcie-lnkctl-init:bool
  x-pcie-pm-init:bool
virtio-blk-pci-transitional account-failed:OnOffAuto account-invalid:OnOffAuto aer:bool any_layout:bool
  ats:bool backend_defaults:OnOffAuto bootindex:int32 class:uint32 config-wce:bool cyls:uint32 discard:bool
  discard_granularity:size drive:str event_idx:bool heads:uint32 indirect_desc:bool ioeventfd:bool
  iommu_platform:bool iothread:link lcyls:uint32 lheads:uint32 logical_block_size:size lsecs:uint32
  max-discard-sectors:uint32 max-write-zeroes-sectors:uint32 migrate-extra:bool min_io_size:size
  modern-pio-notify:bool notify_on_empty:bool num-queues:uint16 opt_io_size:size packed:bool page-per-vq:bool
  physical_block_size:size queue-size:uint16 queue_reset:bool report-discard-granularity:bool
  request-merging:bool rerror:BlockdevOnError scsi:bool secs:uint32 seg-max-adjust:bool serial:str
  share-rw:bool use-disabled-flag:bool use-started:bool vectors:uint32
  virtio-pci-bus-master-bug-migration:bool werror:BlockdevOnError write-cache:OnOffAuto write-zeroes:bool
  x-ats-page-aligned:bool x-disable-legacy-check:bool x-disable-pcie:bool x-enable-wce-if-config-wce:bool
  x-ignore-backend-features:bool x-pcie-deverr-init:bool x-pcie-flr-init:bool x-pcie-lnkctl-init:bool
  x-pcie-pm-init:bool
virtio-crypto-pci @virtio cryptodev:link ioeventfd:bool vectors:uint32
virtio-gpu-pci @virtio blob:bool edid:bool ioeventfd:bool max_hostmem:size max_outputs:uint32 vectors:uint32
  xres:uint32 yres:uint32
virtio-input-host-pci @virtio evdev:str serial:str vectors:uint32
virtio-iommu-pci @virtio boot-bypass:bool class:uint32 len-reserved-regions:uint32 primary-bus:link
virtio-keyboard-pci @virtio display:str head:uint32 serial:str vectors:uint32
virtio-mem-pci @virtio block-size:size memaddr:uint64 memdev:link node:uint32 prealloc:bool
  requested-size:size size:size unplugged-inaccessible:OnOffAuto
virtio-mouse-pci @virtio display:str head:uint32 serial:str vectors:uint32 wheel-axis:bool
virtio-net-pci @virtio bootindex:int32 csum:bool ctrl_guest_offloads:bool ctrl_mac_addr:bool ctrl_rx:bool
  ctrl_rx_extra:bool ctrl_vlan:bool ctrl_vq:bool duplex:str failover:bool gso:bool guest_announce:bool
  guest_csum:bool guest_ecn:bool guest_rsc_ext:bool guest_tso4:bool guest_tso6:bool guest_ufo:bool hash:bool
  host_ecn:bool host_mtu:uint16 host_tso4:bool host_tso6:bool host_ufo:bool ioeventfd:bool mac:str mq:bool
  mrg_rxbuf:bool netdev:str rsc_interval:uint32 rss:bool rx_queue_size:uint16 speed:int32 status:bool tx:str
  tx_queue_size:uint16 vectors:uint32 x-mtu-bypass-backend:bool x-txburst:int32 x-txtimer:uint32
virtio-net-pci-non-transitional aer:bool any_layout:bool ats:bool bootindex:int32 csum:bool
  ctrl_guest_offloads:bool ctrl_mac_addr:bool ctrl_rx:bool ctrl_rx_extra:bool ctrl_vlan:bool ctrl_vq:bool
  duplex:str event_idx:bool failover:bool gso:bool guest_announce:bool guest_csum:bool guest_ecn:bool
  guest_rsc_ext:bool guest_tso4:bool guest_tso6:bool guest_ufo:bool hash:bool host_ecn:bool host_mtu:uint16
  host_tso4:bool host_tso6:bool host_ufo:bool indirect_desc:bool ioeventfd:bool iommu_platform:bool mac:str
  migrate-extra:bool modern-pio-notify:bool mq:bool mrg_rxbuf:bool netdev:str notify_on_empty:bool packed:bool
  page-per-vq:bool queue_reset:bool rsc_interval:uint32 rss:bool rx_queue_size:uint16 speed:int32 status:bool
  tx:str tx_queue_size:uint16 use-disabled-flag:bool use-started:bool vectors:uint32
  virtio-pci-bus-master-bug-migration:bool x-ats-page-aligned:bool x-disable-legacy-check:bool
  x-disable-pcie:bool x-ignore-backend-features:bool x-mtu-bypass-backend:bool x-pcie-deverr-init:bool
  x-pcie-flr-init:bool x-pcie-lnkctl-init:bool x-pcie-pm-init:bool x-txburst:int32 x-txtimer:uint32
virtio-net-pci-transitional aer:bool any_layout:bool ats:bool bootindex:int32 csum:bool
  ctrl_guest_offloads:bool ctrl_mac_addr:bool ctrl_rx:bool ctrl_rx_extra:bool ctrl_vlan:bool ctrl_vq:bool
  duplex:str event_idx:bool failover:bool gso:bool guest_announce:bool guest_csum:bool guest_ecn:bool
  guest_rsc_ext:bool guest_tso4:bool guest_tso6:bool guest_ufo:bool hash:bool host_ecn:bool host_mtu:uint16
  host_tso4:bool host_tso6:bool host_ufo:bool indirect_desc:bool ioeventfd:bool iommu_platform:bool mac:str
  migrate-extra:bool modern-pio-notify:bool mq:bool mrg_rxbuf:bool netdev:str notify_on_empty:bool packed:bool
  page-per-vq:bool queue_reset:bool rsc_interval:uint32 rss:bool rx_queue_size:uint16 speed:int32 status:bool
  tx:str tx_queue_size:uint16 use-disabled-flag:bool use-started:bool vectors:uint32
  virtio-pci-bus-master-bug-migration:bool x-ats-page-aligned:bool x-disable-legacy-check:bool
  x-disable-pcie:bool x-ignore-backend-features:bool x-mtu-bypass-backend:bool x-pcie-deverr-init:bool
  x-pcie-flr-init:bool x-pcie-lnkctl-init:bool x-pcie-pm-init:bool x-txburst:int32 x-txtimer:uint32
virtio-pmem-pci @virtio memaddr:uint64 memdev:link
virtio-rng-pci @virtio ioeventfd:bool max-bytes:uint64 period:uint32 rng:link vectors:uint32
virtio-rng-pci-non-transitional aer:bool any_layout:bool ats:bool event_idx:bool indirect_desc:bool
  ioeventfd:bool iommu_platform:bool max-bytes:uint64 migrate-extra:bool modern-pio-notify:bool
  notify_on_empty:bool packed:bool page-per-vq:bool period:uint32 queue_reset:bool rng:link
  use-disabled-flag:bool use-started:bool vectors:uint32 virtio-pci-bus-master-bug-migration:bool
  x-ats-page-aligned:bool x-disable-legacy-check:bool x-disable-pcie:bool x-ignore-backend-features:bool
  x-pcie-deverr-init:bool x-pcie-flr-init:bool x-pcie-lnkctl-init:bool x-pcie-pm-init:bool
virtio-rng-pci-transitional aer:bool any_layout:bool ats:bool event_idx:bool indirect_desc:bool ioeventfd:bool
  iommu_platform:bool max-bytes:uint64 migrate-extra:bool modern-pio-notify:bool notify_on_empty:bool
  packed:bool page-per-vq:bool period:uint32 queue_reset:bool rng:link use-disabled-flag:bool use-started:bool
  vectors:uint32 virtio-pci-bus-master-bug-migration:bool x-ats-page-aligned:bool x-disable-legacy-check:bool
  x-disable-pcie:bool x-ignore-backend-features:bool x-pcie-deverr-init:bool x-pcie-flr-init:bool
  x-pcie-lnkctl-init:bool x-pcie-pm-init:bool
virtio-scsi-pci @virtio cmd_per_lun:uint32 hotplug:bool ioeventfd:bool iothread:link max_sectors:uint32
  num_queues:uint32 param_change:bool seg_max_adjust:bool vectors:uint32 virtqueue_size:uint32
virtio-scsi-pci-non-transitional aer:bool any_layout:bool ats:bool cmd_per_lun:uint32 event_idx:bool
  hotplug:bool indirect_desc:bool ioeventfd:bool iommu_platform:bool iothread:link max_sectors:uint32
  migrate-extra:bool modern-pio-notify:bool notify_on_empty:bool num_queues:uint32 packed:bool
  page-per-vq:bool param_change:bool queue_reset:bool seg_max_adjust:bool use-disabled-flag:bool
  use-started:bool vectors:uint32 virtio-pci-bus-master-bug-migration:bool virtqueue_size:uint32
  x-ats-page-aligned:bool x-disable-legacy-check:bool x-disable-pcie:bool x-ignore-backend-features:bool
  x-pcie-deverr-init:bool x-pcie-flr-init:bool x-pcie-lnkctl-init:bool x-pcie-pm-init:bool
virtio-scsi-pci-transitional aer:bool any_layout:bool ats:bool cmd_per_lun:uint32 event_idx:bool hotplug:bool
  indirect_desc:bool ioeventfd:bool iommu_platform:bool iothread:link max_sectors:uint32 migrate-extra:bool
  modern-pio-notify:bool notify_on_empty:bool num_queues:uint32 packed:bool page-per-vq:bool param_change:bool
  queue_reset:bool seg_max_adjust:bool use-disabled-flag:bool use-started:bool vectors:uint32
  virtio-pci-bus-master-bug-migration:bool virtqueue_size:uint32 x-ats-page-aligned:bool
  x-disable-legacy-check:bool x-disable-pcie:bool x-ignore-backend-features:bool x-pcie-deverr-init:bool
  x-pcie-flr-init:bool x-pcie-lnkctl-init:bool x-pcie-pm-init:bool
virtio-serial-pci @virtio class:uint32 emergency-write:bool ioeventfd:bool max_ports:uint32 vectors:uint32
virtio-serial-pci-non-transitional aer:bool any_layout:bool ats:bool class:uint32 emergency-write:bool
  event_idx:bool indirect_desc:bool ioeventfd:bool iommu_platform:bool max_ports:uint32 migrate-extra:bool
  modern-pio-notify:bool notify_on_empty:bool packed:bool page-per-vq:bool queue_reset:bool
  use-disabled-flag:bool use-started:bool vectors:uint32 virtio-pci-bus-master-bug-migration:bool
  x-ats-page-aligned:bool x-disable-legacy-check:bool x-disable-pcie:bool x-ignore-backend-features:bool
  x-pcie-deverr-init:bool x-pcie-flr-init:bool x-pcie-lnkctl-init:bool x-pcie-pm-init:bool
virtio-serial-pci-transitional aer:bool any_layout:bool ats:bool class:uint32 emergency-write:bool
  event_idx:bool indirect_desc:bool ioeventfd:bool iommu_platform:bool max_ports:uint32 migrate-extra:bool
  modern-pio-notify:bool notify_on_empty:bool packed:bool page-per-vq:bool queue_reset:bool
  use-disabled-flag:bool use-started:bool vectors:uint32 virtio-pci-bus-master-bug-migration:bool
  x-ats-page-aligned:bool x-disable-legacy-check:bool x-disable-pcie:bool x-ignore-backend-features:bool
  x-pcie-deverr-init:bool x-pcie-flr-init:bool x-pcie-lnkctl-init:bool x-pcie-pm-init:bool
virtio-tablet-pci @virtio display:str head:uint32 serial:str vectors:uint32 wheel-axis:bool
virtio-vga @virtio big-endian-framebuffer:bool blob:bool edid:bool ioeventfd:bool max_hostmem:size
  max_outputs:uint32 vectors:uint32 xres:uint32 yres:uint32
vmware-svga global-vmstate:bool vgamem_mb:uint32
vmxnet3 bootindex:int32 mac:str netdev:str x-disable-pcie:bool x-old-msi-offsets:bool
x-pci-proxy-dev fd:str
x3130-upstream aer_log_max:uint16 port:uint8
xio3130-downstream aer_log_max:uint16 chassis:uint8 hotplug:bool port:uint8 power_controller_present:bool
  slot:uint16 x-native-hotplug:bool
"""
_OTHERS = """\
= -
*
guest-loader addr:uint64 bootargs:str initrd:str kernel:str
hv-syndbg host_ip:str host_port:uint16 use_hcalls:bool
ipmi-bmc-extern chardev:str slave_addr:uint8
ipmi-bmc-sim device_id:uint8 device_rev:uint8 fruareasize:uint16 frudatafile:str fwrev1:uint8 fwrev2:uint8
  guid:str ipmi_version:uint8 mfg_id:uint32 product_id:uint16 sdrfile:str slave_addr:uint8
loader addr:uint64 cpu-num:uint32 data:uint64 data-be:bool data-len:uint8 file:str force-raw:bool
nvdimm addr:uint64 label-size:int memdev:link node:uint32 size:uint64 slot:int32 unarmed:bool uuid:QemuUUID
nvme-subsys nqn:str
pc-dimm addr:uint64 memdev:link node:uint32 size:uint64 slot:int32
tpm-crb ppi:bool tpmdev:str
vmcoreinfo
vmgenid guid:str
= HDA
* audiodev:str cad:uint32 debug:uint32 mixer:bool use-timer:bool
hda-duplex
hda-micro
hda-output
= IDE
*
ide-cd account-failed:OnOffAuto account-invalid:OnOffAuto backend_defaults:OnOffAuto bootindex:int32
  discard_granularity:size drive:str logical_block_size:size min_io_size:size model:str opt_io_size:size
  physical_block_size:size rerror:BlockdevOnError serial:str share-rw:bool unit:uint32 ver:str
  werror:BlockdevOnError write-cache:OnOffAuto wwn:uint64
ide-hd account-failed:OnOffAuto account-invalid:OnOffAuto backend_defaults:OnOffAuto
  bios-chs-trans:BiosAtaTranslation bootindex:int32 cyls:uint32 discard_granularity:size drive:str
  heads:uint32 lcyls:uint32 lheads:uint32 logical_block_size:size lsecs:uint32 min_io_size:size model:str
  opt_io_size:size physical_block_size:size rerror:BlockdevOnError rotation_rate:uint16 secs:uint32 serial:str
  share-rw:bool unit:uint32 ver:str werror:BlockdevOnError write-cache:OnOffAuto wwn:uint64
= ISA
*
adlib audiodev:str freq:uint32 iobase:uint32
cs4231a audiodev:str dma:uint32 iobase:uint32 irq:uint32
gus audiodev:str dma:uint32 freq:uint32 iobase:uint32 irq:uint32
hyperv-testdev
i8042 a20[0]:link extended-state:bool kbd-irq:uint8 kbd-throttle:bool mouse-irq:uint8 unnamed-gpio-out[0]:link
  unnamed-gpio-out[1]:link
ib700
isa-applesmc iobase:uint32 osk:str
isa-cirrus-vga blitter:bool vgamem_mb:uint32
isa-debug-exit iobase:uint32 iosize:uint32
isa-debugcon chardev:str iobase:uint32 readback:uint32
isa-fdc bootindexA:int32 bootindexB:int32 dma:uint32 fallback:FdcDriveType fdtypeA:FdcDriveType
  fdtypeB:FdcDriveType iobase:uint32 irq:uint32
isa-ide iobase:uint32 iobase2:uint32 irq:uint32
isa-ipmi-bt bmc:link ioport:uint32 irq:int32
isa-ipmi-kcs bmc:link ioport:uint32 irq:int32
isa-parallel chardev:str index:uint32 iobase:uint32 irq:uint32
isa-serial baudbase:uint32 chardev:str index:uint32 iobase:uint32 irq:uint32 wakeup:bool
isa-vga vgamem_mb:uint32
mc146818rtc base_year:int32 iobase:uint16 irq:uint8 lost_tick_policy:LostTickPolicy
ne2k_isa bootindex:int32 iobase:uint32 irq:uint32 mac:str netdev:str
pc-testdev
pvpanic events:uint8 ioport:uint16
sb16 audiodev:str dma:uint32 dma16:uint32 iobase:uint32 irq:uint32 version:uint32
sga
tpm-tis irq:uint32 ppi:bool tpmdev:str
vmmouse i8042:link
= IndustryPack
*
ipoctal232 chardev0:str chardev1:str chardev2:str chardev3:str chardev4:str chardev5:str chardev6:str
  chardev7:str slot:int32
= SCSI
* bootindex:int32 channel:uint32 drive:str lun:uint32 scsi-id:uint32 share-rw:bool
scsi-block io_timeout:uint32 max_io_size:uint64 max_unmap_size:uint64 rerror:BlockdevOnError
  rotation_rate:uint16 scsi_version:int32 werror:BlockdevOnError
scsi-cd account-failed:OnOffAuto account-invalid:OnOffAuto backend_defaults:OnOffAuto device_id:str
  discard_granularity:size logical_block_size:size max_io_size:uint64 min_io_size:size opt_io_size:size
  physical_block_size:size port_index:uint16 port_wwn:uint64 product:str quirk_mode_page_apple_vendor:bool
  quirk_mode_page_truncated:bool quirk_mode_page_vendor_specific_apple:bool quirk_mode_sense_rom_use_dbd:bool
  rerror:BlockdevOnError scsi_version:int32 serial:str vendor:str ver:str werror:BlockdevOnError
  write-cache:OnOffAuto wwn:uint64
scsi-generic io_timeout:uint32
scsi-hd account-failed:OnOffAuto account-invalid:OnOffAuto backend_defaults:OnOffAuto cyls:uint32
  device_id:str discard_granularity:size dpofua:bool heads:uint32 lcyls:uint32 lheads:uint32
  logical_block_size:size lsecs:uint32 max_io_size:uint64 max_unmap_size:uint64 min_io_size:size
  opt_io_size:size physical_block_size:size port_index:uint16 port_wwn:uint64 product:str
  quirk_mode_page_vendor_specific_apple:bool removable:bool rerror:BlockdevOnError rotation_rate:uint16
  scsi_version:int32 secs:uint32 serial:str vendor:str ver:str werror:BlockdevOnError write-cache:OnOffAuto
  wwn:uint64
= System
*
amd-iommu device-iotlb:bool intremap:OnOffAuto pt:bool
intel-iommu aw-bits:uint8 caching-mode:bool device-iotlb:bool dma-drain:bool dma-translation:bool
  eim:OnOffAuto intremap:OnOffAuto pt:bool snoop-control:bool version:uint32 x-buggy-eim:bool
  x-pasid-mode:bool x-scalable-mode:bool
ramfb
vmbus-bridge irq:uint8
= ccid-bus
*
ccid-card-emulated backend:str cert1:str cert2:str cert3:str db:str debug:uint8 slot:uint32
ccid-card-passthru chardev:str debug:uint8 slot:uint32
= floppy-bus
*
floppy account-failed:OnOffAuto account-invalid:OnOffAuto backend_defaults:OnOffAuto discard_granularity:size
  drive:str drive-type:FdcDriveType logical_block_size:size min_io_size:size opt_io_size:size
  physical_block_size:size share-rw:bool unit:uint32 write-cache:OnOffAuto
= i2c-bus
*
i2c-ddc address:uint8 refresh_rate:uint32 xmax:uint32 xres:uint32 ymax:uint32 yres:uint32
smbus-ipmi address:uint8 bmc:link
= nvme-bus
*
nvme-ns account-failed:OnOffAuto account-invalid:OnOffAuto backend_defaults:OnOffAuto bootindex:int32
  detached:bool discard_granularity:size drive:str eui64:uint64 eui64-default:bool logical_block_size:size
  mcl:uint32 min_io_size:size ms:uint16 mset:uint8 msrc:uint8 mssrl:uint16 nsid:uint32 opt_io_size:size
  physical_block_size:size pi:uint8 pif:uint8 pil:uint8 share-rw:bool shared:bool uuid:str
  write-cache:OnOffAuto zoned:bool zoned.cross_read:bool zoned.descr_ext_size:uint32 zoned.max_active:uint32
  zoned.max_open:uint32 zoned.numzrwa:uint32 zoned.zone_capacity:size zoned.zone_size:size zoned.zrwafg:size
  zoned.zrwas:size
= sd-bus
*
sd-card drive:str spec_version:uint8 spi:bool
= usb-bus
* attached:bool msos-desc:bool pcap:str port:str serial:str
u2f-passthru hidraw:str
usb-audio audiodev:str buffer:uint32 debug:uint32 multi:bool
usb-bot
usb-braille chardev:str
usb-ccid debug:uint8
usb-host bootindex:int32 guest-reset:bool guest-resets-all:bool hostaddr:uint32 hostbus:uint32 hostdevice:str
  hostport:str isobsize:uint32 isobufs:uint32 loglevel:uint32 pipeline:bool productid:uint32
  suppress-remote-wake:bool vendorid:uint32
usb-hub port-power:bool ports:uint32
usb-kbd display:str usb_version:uint32
usb-mouse usb_version:uint32
usb-mtp desc:str readonly:bool rootdir:str
usb-net bootindex:int32 mac:str netdev:str
usb-redir bootindex:int32 chardev:str debug:uint8 filter:str streams:bool suppress-remote-wake:bool
usb-serial always-plugged:bool chardev:str
usb-storage account-failed:OnOffAuto account-invalid:OnOffAuto backend_defaults:OnOffAuto bootindex:int32
  commandlog:bool discard_granularity:size drive:str logical_block_size:size min_io_size:size opt_io_size:size
  physical_block_size:size removable:bool rerror:BlockdevOnError share-rw:bool werror:BlockdevOnError
  write-cache:OnOffAuto
usb-tablet display:str head:uint32 usb_version:uint32
usb-uas log-scsi-req:uint32
usb-wacom-tablet
= virtio-bus
* any_layout:bool event_idx:bool indirect_desc:bool iommu_platform:bool notify_on_empty:bool packed:bool
  queue_reset:bool use-disabled-flag:bool use-started:bool x-disable-legacy-check:bool
vhost-scsi boot_tpgt:uint32 bootindex:int32 cmd_per_lun:uint32 max_sectors:uint32 migratable:bool
  num_queues:uint32 seg_max_adjust:bool t10_pi:bool vhostfd:str virtqueue_size:uint32 wwpn:str
vhost-user-blk bootindex:int32 chardev:str config-wce:bool discard:bool num-queues:uint16 queue-size:uint32
  write-zeroes:bool
vhost-user-fs-device bootindex:int32 chardev:str num-request-queues:uint16 queue-size:uint16 tag:str
vhost-user-gpio-device chardev:str
vhost-user-gpu chardev:string edid:bool max_outputs:uint32 xres:uint32 yres:uint32
vhost-user-i2c-device chardev:str
vhost-user-input chardev:string serial:str
vhost-user-rng chardev:str
vhost-user-scsi boot_tpgt:uint32 bootindex:int32 chardev:str cmd_per_lun:uint32 hotplug:bool
  max_sectors:uint32 num_queues:uint32 param_change:bool t10_pi:bool virtqueue_size:uint32
vhost-user-vsock-device chardev:str seqpacket:OnOffAuto
vhost-vsock-device guest-cid:uint64 seqpacket:OnOffAuto vhostfd:str
virtio-9p-device fsdev:str mount_tag:str
virtio-balloon-device deflate-on-oom:bool free-page-hint:bool free-page-reporting:bool guest-stats:guest
  guest-stats-polling-interval:int iothread:link page-poison:bool qemu-4-0-config-size:bool
virtio-blk-device account-failed:OnOffAuto account-invalid:OnOffAuto backend_defaults:OnOffAuto
  bootindex:int32 config-wce:bool cyls:uint32 discard:bool discard_granularity:size drive:str heads:uint32
  iothread:link lcyls:uint32 lheads:uint32 logical_block_size:size lsecs:uint32 max-discard-sectors:uint32
  max-write-zeroes-sectors:uint32 min_io_size:size num-queues:uint16 opt_io_size:size physical_block_size:size
  queue-size:uint16 report-discard-granularity:bool request-merging:bool rerror:BlockdevOnError scsi:bool
  secs:uint32 seg-max-adjust:bool serial:str share-rw:bool werror:BlockdevOnError write-cache:OnOffAuto
  write-zeroes:bool x-enable-wce-if-config-wce:bool
virtio-crypto-device cryptodev:link
virtio-gpu-device blob:bool edid:bool max_hostmem:size max_outputs:uint32 xres:uint32 yres:uint32
virtio-input-host-device evdev:str serial:str
virtio-iommu-device boot-bypass:bool primary-bus:link
virtio-keyboard-device display:str head:uint32 serial:str
virtio-mem block-size:size memaddr:uint64 memdev:link node:uint32 prealloc:bool requested-size:size size:size
  unplugged-inaccessible:OnOffAuto
virtio-mouse-device display:str head:uint32 serial:str wheel-axis:bool
virtio-net-device bootindex:int32 csum:bool ctrl_guest_offloads:bool ctrl_mac_addr:bool ctrl_rx:bool
  ctrl_rx_extra:bool ctrl_vlan:bool ctrl_vq:bool duplex:str failover:bool gso:bool guest_announce:bool
  guest_csum:bool guest_ecn:bool guest_rsc_ext:bool guest_tso4:bool guest_tso6:bool guest_ufo:bool hash:bool
  host_ecn:bool host_mtu:uint16 host_tso4:bool host_tso6:bool host_ufo:bool mac:str mq:bool mrg_rxbuf:bool
  netdev:str rsc_interval:uint32 rss:bool rx_queue_size:uint16 speed:int32 status:bool tx:str
  tx_queue_size:uint16 x-mtu-bypass-backend:bool x-txburst:int32 x-txtimer:uint32
virtio-pmem memaddr:uint64 memdev:link
virtio-rng-device max-bytes:uint64 period:uint32 rng:link
virtio-scsi-device cmd_per_lun:uint32 hotplug:bool iothread:link max_sectors:uint32 num_queues:uint32
  param_change:bool seg_max_adjust:bool virtqueue_size:uint32
virtio-serial-device emergency-write:bool max_ports:uint32
virtio-tablet-device display:str head:uint32 serial:str wheel-axis:bool
= virtio-serial-bus
*
virtconsole chardev:str name:str nr:uint32
virtserialport chardev:str name:str nr:uint32
"""
_CPUS = """\
= 486 486-v1 Broadwell Broadwell-IBRS Broadwell-noTSX Broadwell-noTSX-IBRS Broadwell-v1 Broadwell-v2
  Broadwell-v3 Broadwell-v4 Cascadelake-Server Cascadelake-Server-noTSX Cascadelake-Server-v1
  Cascadelake-Server-v2 Cascadelake-Server-v3 Cascadelake-Server-v4 Cascadelake-Server-v5 Conroe Conroe-v1
  Cooperlake Cooperlake-v1 Cooperlake-v2 Denverton Denverton-v1 Denverton-v2 Denverton-v3 Dhyana Dhyana-v1
  Dhyana-v2 EPYC EPYC-IBPB EPYC-Milan EPYC-Milan-v1 EPYC-Rome EPYC-Rome-v1 EPYC-Rome-v2 EPYC-v1 EPYC-v2
  EPYC-v3 Haswell Haswell-IBRS Haswell-noTSX Haswell-noTSX-IBRS Haswell-v1 Haswell-v2 Haswell-v3 Haswell-v4
  Icelake-Server Icelake-Server-noTSX Icelake-Server-v1 Icelake-Server-v2 Icelake-Server-v3 Icelake-Server-v4
  Icelake-Server-v5 Icelake-Server-v6 IvyBridge IvyBridge-IBRS IvyBridge-v1 IvyBridge-v2 KnightsMill
  KnightsMill-v1 Nehalem Nehalem-IBRS Nehalem-v1 Nehalem-v2 Opteron_G1 Opteron_G1-v1 Opteron_G2 Opteron_G2-v1
  Opteron_G3 Opteron_G3-v1 Opteron_G4 Opteron_G4-v1 Opteron_G5 Opteron_G5-v1 Penryn Penryn-v1 SandyBridge
  SandyBridge-IBRS SandyBridge-v1 SandyBridge-v2 Skylake-Client Skylake-Client-IBRS Skylake-Client-noTSX-IBRS
  Skylake-Client-v1 Skylake-Client-v2 Skylake-Client-v3 Skylake-Client-v4 Skylake-Server Skylake-Server-IBRS
  Skylake-Server-noTSX-IBRS Skylake-Server-v1 Skylake-Server-v2 Skylake-Server-v3 Skylake-Server-v4
  Skylake-Server-v5 Snowridge Snowridge-v1 Snowridge-v2 Snowridge-v3 Snowridge-v4 Westmere Westmere-IBRS
  Westmere-v1 Westmere-v2 athlon athlon-v1 base core2duo core2duo-v1 coreduo coreduo-v1 host kvm32 kvm32-v1
  kvm64 kvm64-v1 max n270 n270-v1 pentium pentium-v1 pentium2 pentium2-v1 pentium3 pentium3-v1 phenom
  phenom-v1 qemu32 qemu32-v1 qemu64 qemu64-v1
"""
# end of table


def _rows(table: str) -> Iterator[list[str]]:
    for row in table.replace("\n  ", " ").splitlines():
        yield row.split()


def _read(words: list[str], *shared: Mapping[str, str]) -> Mapping[str, str]:
    """Return the properties that the words of a row say, with a minus for what the row lacks of the shared ones."""
    row = {key: kind for rows in shared for key, kind in rows.items()}
    for word in words:
        key, _, kind = word.partition(":")
        if kind:
            row[key] = kind
        else:
            row.pop(word.removeprefix("-"), None)
    return MappingProxyType(row)


def _pci() -> Iterator[tuple[str, Mapping[str, str]]]:
    every: Mapping[str, str] = {}
    virtio: Mapping[str, str] = {}
    for name, *words in _rows(_PCI):
        if name == "*":
            every = _read(words)
        elif name == "@virtio":
            virtio = _read(words)
        elif words[:1] == ["@virtio"]:
            yield name, _read(words[1:], every, virtio)
        else:
            yield name, _read(words, every)


def _others() -> Iterator[tuple[str, str, Mapping[str, str]]]:
    bus, every = "", _read([])
    for name, *words in _rows(_OTHERS):
        if name == "=":
            bus = words[0].strip("-") if words[0] == "-" else words[0]
        elif name == "*":
            every = _read(words)
        else:
            yield name, bus, _read(words, every)


CPU_SUFFIX = "-x86_64-cpu"
PROPERTIES: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {**dict(_pci()), **{name: row for name, _, row in _others()}}
)
"""For each device its properties with their types, as QEMU names both; those of CPUs are not listed."""

NOT_ON_PCI: Mapping[str, str] = MappingProxyType(
    {
        **{name: bus for name, bus, _ in _others()},
        **{name + CPU_SUFFIX: "" for _, *names in _rows(_CPUS) for name in names},
    }
)
"""QEMU's devices that sit on other buses, and on which; "" for those that sit on none."""


class DeviceTable(NamedTuple):
    """The devices of one QEMU."""

    qemu: str
    """Its version."""
    properties: Mapping[str, Mapping[str, str]]
    """As `PROPERTIES`."""
    not_on_pci: Mapping[str, str]
    """As `NOT_ON_PCI`."""


@cache
def devices_of(qemu: str) -> DeviceTable:
    """Return the devices that a QEMU has.

    Args:
        qemu: its version, one of `pcisim.catalogue.profiles.QEMUS`.
    """
    table = DeviceTable(_OLDEST, PROPERTIES, NOT_ON_PCI)
    if qemu == _OLDEST:
        return table
    from pcisim.catalogue.property_changes import CHANGES

    for version, text in CHANGES:
        table = _changed(table, version, text)
        if version == qemu:
            break
    return table


def _changed(table: DeviceTable, version: str, text: str) -> DeviceTable:
    rows = {name: words for name, *words in _rows(text)}
    every, virtio = rows.pop("*"), rows.pop("@virtio")
    others = dict(table.not_on_pci)
    others |= {name + CPU_SUFFIX: "" for name in rows.pop("+cpu")}
    properties: dict[str, Mapping[str, str]] = {}
    for name, old in table.properties.items():
        if f"-{name}" in rows:
            continue
        shared = [] if name in others else [*every, *(virtio if "disable-legacy" in old else ())]
        properties[name] = _read([*shared, *rows.get(name, ())], old)
    for name, words in rows.items():
        if name.startswith("+"):
            properties[name[1:]] = _read([word for word in words if word[0] != "="])
            others |= {name[1:]: word[1:].removeprefix("-") for word in words if word[0] == "="}
    gone = {name for name in others if f"-{name}" in rows}
    return DeviceTable(
        version, MappingProxyType(properties), MappingProxyType({k: v for k, v in others.items() if k not in gone})
    )


_OLDEST = "7.2"
"""The version of QEMU whose devices are in this module; of others what they changed is listed."""
