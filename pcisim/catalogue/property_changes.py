"""What newer QEMUs changed in the properties of their devices, from one version to the next.

The properties of QEMU 7.2 are in `pcisim.catalogue.properties`.  Verified against QEMU 10.0.13 (Debian trixie) and
11.1.3 (Debian trixie-backports), as those were.
"""

from __future__ import annotations

# A row is a device and what it has in place of what the version before has, with a minus what it has no more; "*" is
# every PCI device of both, "@virtio" every virtio one of them.  With a plus before it the device is new, and "=" names
# its bus where that is not PCI; with a minus it is gone.  "+cpu" has new CPUs.
# table
_IN_10_0 = """\
* addr:str busnr:busnr rombar:int32 x-max-bounce-buffer-size:size x-pcie-ari-nextfn-1:bool
  x-pcie-err-unc-mask:bool x-pcie-ext-tag:bool
@virtio in_order:bool x-pcie-pm-no-soft-reset:bool
amd-iommu xtsup:bool
cxl-downstream x-do-not-expose-native-hotplug-cap:bool x-pci-express-writeable-slt-bug:bool
  x-speed:PCIELinkSpeed x-width:PCIELinkWidth -x-native-hotplug
cxl-rp x-do-not-expose-native-hotplug-cap:bool x-pci-express-writeable-slt-bug:bool x-speed:PCIELinkSpeed
  x-width:PCIELinkWidth -x-native-hotplug
cxl-type3 num-dc-regions:uint8 persistent-memdev:link volatile-dc-memdev:link volatile-memdev:link
  x-speed:PCIELinkSpeed x-width:PCIELinkWidth
cxl-upstream sn:uint64 x-pci-express-writeable-slt-bug:bool x-speed:PCIELinkSpeed x-width:PCIELinkWidth
e1000 -autonegotiation -mitigation
e1000-82544gc -autonegotiation -mitigation
e1000-82545em -autonegotiation -mitigation
e1000e migrate-timadj:bool
floppy drive-type:FloppyDriveType
i82801b11-bridge x-pci-express-writeable-slt-bug:bool
ide-cd win2k-install-hack:bool
ide-hd win2k-install-hack:bool
intel-iommu fs1gp:bool stale-tm:bool x-flts:bool
ioh3420 x-do-not-expose-native-hotplug-cap:bool x-pci-express-writeable-slt-bug:bool -x-native-hotplug
isa-fdc fallback:FloppyDriveType fdtypeA:FloppyDriveType fdtypeB:FloppyDriveType
nec-usb-xhci conditional-intr-mapping:bool -force-pcie-endcap -superspeed-ports-first
nvme atomic.awun:uint16 atomic.awupf:uint16 atomic.dn:bool ctratt.mem:bool dbcs:bool mqes:uint16 ocp:bool
  spdm_port:uint16 sriov_max_vfs:uint16 sriov_max_vi_per_vf:uint32 sriov_max_vq_per_vf:uint32
nvme-ns fdp.ruhs:str nguid:str
nvme-subsys fdp:bool fdp.nrg:uint32 fdp.nruh:uint16 fdp.runs:size
pci-bridge x-pci-express-writeable-slt-bug:bool
pci-bridge-seat x-pci-express-writeable-slt-bug:bool
pcie-pci-bridge x-pci-express-writeable-slt-bug:bool
pcie-root-port x-do-not-expose-native-hotplug-cap:bool x-pci-express-writeable-slt-bug:bool -x-native-hotplug
piix3-ide isa-irq[0]:link isa-irq[1]:link
piix4-ide isa-irq[0]:link isa-irq[1]:link
pxb-cxl hdm_for_passthrough:bool
qemu-xhci conditional-intr-mapping:bool msi:OnOffAuto msix:OnOffAuto
ramfb x-migrate:bool
rocker ports:list -len-ports
scsi-cd migrate-emulated-scsi-request:bool
scsi-hd migrate-emulated-scsi-request:bool
sd-card -spi
sdhci-pci endianness:uint8
vfio-pci enable-migration:OnOffAuto fd:string iommufd:link migration-events:bool skip-vsc-check:bool
  vf-token:str x-device-dirty-page-tracking:OnOffAuto x-igd-legacy-mode:OnOffAuto x-igd-lpc:bool
  x-migration-multifd-transfer:OnOffAuto x-nv-gpudirect-clique:uint8 -x-enable-migration
vfio-pci-nohotplug enable-migration:OnOffAuto fd:string iommufd:link migration-events:bool skip-vsc-check:bool
  vf-token:str x-device-dirty-page-tracking:OnOffAuto x-igd-legacy-mode:OnOffAuto x-igd-lpc:bool
  x-migration-multifd-transfer:OnOffAuto x-nv-gpudirect-clique:uint8 x-ramfb-migrate:OnOffAuto
  -x-enable-migration
vhost-scsi in_order:bool worker_per_virtqueue:bool
vhost-scsi-pci worker_per_virtqueue:bool
vhost-scsi-pci-non-transitional in_order:bool worker_per_virtqueue:bool x-pcie-pm-no-soft-reset:bool
vhost-scsi-pci-transitional in_order:bool worker_per_virtqueue:bool x-pcie-pm-no-soft-reset:bool
vhost-user-blk in_order:bool
vhost-user-blk-pci-non-transitional in_order:bool x-pcie-pm-no-soft-reset:bool
vhost-user-blk-pci-transitional in_order:bool x-pcie-pm-no-soft-reset:bool
vhost-user-fs-device in_order:bool
vhost-user-fs-pci in_order:bool x-pcie-pm-no-soft-reset:bool
vhost-user-gpio-device in_order:bool
vhost-user-gpio-pci in_order:bool x-pcie-pm-no-soft-reset:bool
vhost-user-gpu in_order:bool
vhost-user-i2c-device in_order:bool
vhost-user-i2c-pci in_order:bool x-pcie-pm-no-soft-reset:bool
vhost-user-input chardev:str in_order:bool -serial
vhost-user-input-pci chardev:str -serial
vhost-user-rng in_order:bool
vhost-user-rng-pci in_order:bool x-pcie-pm-no-soft-reset:bool
vhost-user-scsi in_order:bool
vhost-user-scsi-pci-non-transitional in_order:bool x-pcie-pm-no-soft-reset:bool
vhost-user-scsi-pci-transitional in_order:bool x-pcie-pm-no-soft-reset:bool
vhost-user-vsock-device in_order:bool
vhost-user-vsock-pci-non-transitional in_order:bool x-pcie-pm-no-soft-reset:bool
vhost-vsock-device in_order:bool
vhost-vsock-pci-non-transitional in_order:bool x-pcie-pm-no-soft-reset:bool
virtio-9p-device in_order:bool
virtio-9p-pci-non-transitional in_order:bool x-pcie-pm-no-soft-reset:bool
virtio-9p-pci-transitional in_order:bool x-pcie-pm-no-soft-reset:bool
virtio-balloon-device in_order:bool
virtio-balloon-pci ioeventfd:bool vectors:uint32
virtio-balloon-pci-non-transitional in_order:bool ioeventfd:bool vectors:uint32 x-pcie-pm-no-soft-reset:bool
virtio-balloon-pci-transitional in_order:bool ioeventfd:bool vectors:uint32 x-pcie-pm-no-soft-reset:bool
virtio-blk-device in_order:bool iothread-vq-mapping:IOThreadVirtQueueMappingList -scsi
virtio-blk-pci iothread-vq-mapping:IOThreadVirtQueueMappingList -scsi
virtio-blk-pci-non-transitional in_order:bool iothread-vq-mapping:IOThreadVirtQueueMappingList
  x-pcie-pm-no-soft-reset:bool -scsi
virtio-blk-pci-transitional in_order:bool iothread-vq-mapping:IOThreadVirtQueueMappingList
  x-pcie-pm-no-soft-reset:bool -scsi
virtio-crypto-device in_order:bool
virtio-gpu-device hostmem:size in_order:bool x-scanout-vmstate-version:uint8
virtio-gpu-pci hostmem:size x-scanout-vmstate-version:uint8
virtio-input-host-device in_order:bool
virtio-iommu-device aw-bits:uint8 granule:GranuleMode in_order:bool
virtio-iommu-pci aw-bits:uint8 granule:GranuleMode reserved-regions:list -len-reserved-regions
virtio-keyboard-device in_order:bool
virtio-mem dynamic-memslots:bool in_order:bool x-early-migration:bool
virtio-mem-pci dynamic-memslots:bool ioeventfd:bool vectors:uint32 x-early-migration:bool
virtio-mouse-device in_order:bool
virtio-net-device ebpf-rss-fds:list guest_uso4:bool guest_uso6:bool host_uso:bool in_order:bool
virtio-net-pci ebpf-rss-fds:list guest_uso4:bool guest_uso6:bool host_uso:bool
virtio-net-pci-non-transitional ebpf-rss-fds:list guest_uso4:bool guest_uso6:bool host_uso:bool in_order:bool
  x-pcie-pm-no-soft-reset:bool
virtio-net-pci-transitional ebpf-rss-fds:list guest_uso4:bool guest_uso6:bool host_uso:bool in_order:bool
  x-pcie-pm-no-soft-reset:bool
virtio-pmem in_order:bool
virtio-rng-device in_order:bool
virtio-rng-pci-non-transitional in_order:bool x-pcie-pm-no-soft-reset:bool
virtio-rng-pci-transitional in_order:bool x-pcie-pm-no-soft-reset:bool
virtio-scsi-device in_order:bool iothread-vq-mapping:IOThreadVirtQueueMappingList
virtio-scsi-pci iothread-vq-mapping:IOThreadVirtQueueMappingList
virtio-scsi-pci-non-transitional in_order:bool iothread-vq-mapping:IOThreadVirtQueueMappingList
  x-pcie-pm-no-soft-reset:bool
virtio-scsi-pci-transitional in_order:bool iothread-vq-mapping:IOThreadVirtQueueMappingList
  x-pcie-pm-no-soft-reset:bool
virtio-serial-device in_order:bool
virtio-serial-pci-non-transitional in_order:bool x-pcie-pm-no-soft-reset:bool
virtio-serial-pci-transitional in_order:bool x-pcie-pm-no-soft-reset:bool
virtio-tablet-device in_order:bool
virtio-vga hostmem:size x-scanout-vmstate-version:uint8
x3130-upstream x-pci-express-writeable-slt-bug:bool
xio3130-downstream x-do-not-expose-native-hotplug-cap:bool x-pci-express-writeable-slt-bug:bool
  -x-native-hotplug
+cxl-switch-mailbox-cci acpi-index:uint32 addr:str busnr:busnr failover_pair_id:str multifunction:bool
  rombar:int32 romfile:str romsize:uint32 target:link x-max-bounce-buffer-size:size x-pcie-ari-nextfn-1:bool
  x-pcie-err-unc-mask:bool x-pcie-ext-tag:bool x-pcie-extcap-init:bool x-pcie-lnksta-dllla:bool
+hv-balloon =vmbus addr:uint64 instanceid:str memdev:link status-report:bool
+i2c-echo =i2c-bus address:uint8
+ide-cf =IDE account-failed:OnOffAuto account-invalid:OnOffAuto backend_defaults:OnOffAuto
  bios-chs-trans:BiosAtaTranslation bootindex:int32 cyls:uint32 discard_granularity:size drive:str
  heads:uint32 lcyls:uint32 lheads:uint32 logical_block_size:size lsecs:uint32 min_io_size:size model:str
  opt_io_size:size physical_block_size:size rerror:BlockdevOnError secs:uint32 serial:str share-rw:bool
  unit:uint32 ver:str werror:BlockdevOnError win2k-install-hack:bool write-cache:OnOffAuto wwn:uint64
+igb acpi-index:uint32 addr:str bootindex:int32 busnr:busnr failover_pair_id:str mac:str multifunction:bool
  netdev:str rombar:int32 romfile:str romsize:uint32 x-max-bounce-buffer-size:size x-pcie-ari-nextfn-1:bool
  x-pcie-err-unc-mask:bool x-pcie-ext-tag:bool x-pcie-extcap-init:bool x-pcie-flr-init:bool
  x-pcie-lnksta-dllla:bool
+sd-card-spi =sd-bus drive:str spec_version:uint8
+uefi-vars-sysbus =System disable-custom-mode:bool force-secure-boot:bool jsonfile:str size:size use-pio:bool
+uefi-vars-x64 =System disable-custom-mode:bool force-secure-boot:bool jsonfile:str size:size use-pio:bool
+ufs acpi-index:uint32 addr:str busnr:busnr failover_pair_id:str mcq:bool mcq-maxq:uint8 multifunction:bool
  nutmrs:uint8 nutrs:uint8 rombar:int32 romfile:str romsize:uint32 serial:str x-max-bounce-buffer-size:size
  x-pcie-ari-nextfn-1:bool x-pcie-err-unc-mask:bool x-pcie-ext-tag:bool x-pcie-extcap-init:bool
  x-pcie-lnksta-dllla:bool
+ufs-lu =ufs-bus drive:str lun:uint8
+vhost-user-snd =virtio-bus any_layout:bool chardev:str controls:bool event_idx:bool in_order:bool
  indirect_desc:bool iommu_platform:bool notify_on_empty:bool packed:bool queue_reset:bool
  use-disabled-flag:bool use-started:bool x-disable-legacy-check:bool
+vhost-user-snd-pci acpi-index:uint32 addr:str aer:bool any_layout:bool ats:bool busnr:busnr chardev:str
  controls:bool event_idx:bool failover_pair_id:str in_order:bool indirect_desc:bool iommu_platform:bool
  migrate-extra:bool modern-pio-notify:bool multifunction:bool notify_on_empty:bool packed:bool
  page-per-vq:bool queue_reset:bool rombar:int32 romfile:str romsize:uint32 use-disabled-flag:bool
  use-started:bool virtio-pci-bus-master-bug-migration:bool x-ats-page-aligned:bool
  x-disable-legacy-check:bool x-disable-pcie:bool x-ignore-backend-features:bool x-max-bounce-buffer-size:size
  x-pcie-ari-nextfn-1:bool x-pcie-deverr-init:bool x-pcie-err-unc-mask:bool x-pcie-ext-tag:bool
  x-pcie-extcap-init:bool x-pcie-flr-init:bool x-pcie-lnkctl-init:bool x-pcie-lnksta-dllla:bool
  x-pcie-pm-init:bool x-pcie-pm-no-soft-reset:bool
+vhost-vdpa-device =virtio-bus any_layout:bool bootindex:int32 event_idx:bool in_order:bool indirect_desc:bool
  iommu_platform:bool notify_on_empty:bool packed:bool queue-size:uint16 queue_reset:bool
  use-disabled-flag:bool use-started:bool vhostdev:str x-disable-legacy-check:bool
+vhost-vdpa-device-pci acpi-index:uint32 addr:str aer:bool any_layout:bool ats:bool bootindex:int32
  busnr:busnr disable-legacy:OnOffAuto disable-modern:bool event_idx:bool failover_pair_id:str in_order:bool
  indirect_desc:bool iommu_platform:bool migrate-extra:bool modern-pio-notify:bool multifunction:bool
  notify_on_empty:bool packed:bool page-per-vq:bool queue-size:uint16 queue_reset:bool rombar:int32
  romfile:str romsize:uint32 use-disabled-flag:bool use-started:bool vhostdev:str
  virtio-pci-bus-master-bug-migration:bool x-ats-page-aligned:bool x-disable-legacy-check:bool
  x-disable-pcie:bool x-ignore-backend-features:bool x-max-bounce-buffer-size:size x-pcie-ari-nextfn-1:bool
  x-pcie-deverr-init:bool x-pcie-err-unc-mask:bool x-pcie-ext-tag:bool x-pcie-extcap-init:bool
  x-pcie-flr-init:bool x-pcie-lnkctl-init:bool x-pcie-lnksta-dllla:bool x-pcie-pm-init:bool
  x-pcie-pm-no-soft-reset:bool
+vhost-vdpa-device-pci-non-transitional acpi-index:uint32 addr:str aer:bool any_layout:bool ats:bool
  bootindex:int32 busnr:busnr event_idx:bool failover_pair_id:str in_order:bool indirect_desc:bool
  iommu_platform:bool migrate-extra:bool modern-pio-notify:bool multifunction:bool notify_on_empty:bool
  packed:bool page-per-vq:bool queue-size:uint16 queue_reset:bool rombar:int32 romfile:str romsize:uint32
  use-disabled-flag:bool use-started:bool vhostdev:str virtio-pci-bus-master-bug-migration:bool
  x-ats-page-aligned:bool x-disable-legacy-check:bool x-disable-pcie:bool x-ignore-backend-features:bool
  x-max-bounce-buffer-size:size x-pcie-ari-nextfn-1:bool x-pcie-deverr-init:bool x-pcie-err-unc-mask:bool
  x-pcie-ext-tag:bool x-pcie-extcap-init:bool x-pcie-flr-init:bool x-pcie-lnkctl-init:bool
  x-pcie-lnksta-dllla:bool x-pcie-pm-init:bool x-pcie-pm-no-soft-reset:bool
+vhost-vdpa-device-pci-transitional acpi-index:uint32 addr:str aer:bool any_layout:bool ats:bool
  bootindex:int32 busnr:busnr event_idx:bool failover_pair_id:str in_order:bool indirect_desc:bool
  iommu_platform:bool migrate-extra:bool modern-pio-notify:bool multifunction:bool notify_on_empty:bool
  packed:bool page-per-vq:bool queue-size:uint16 queue_reset:bool rombar:int32 romfile:str romsize:uint32
  use-disabled-flag:bool use-started:bool vhostdev:str virtio-pci-bus-master-bug-migration:bool
  x-ats-page-aligned:bool x-disable-legacy-check:bool x-disable-pcie:bool x-ignore-backend-features:bool
  x-max-bounce-buffer-size:size x-pcie-ari-nextfn-1:bool x-pcie-deverr-init:bool x-pcie-err-unc-mask:bool
  x-pcie-ext-tag:bool x-pcie-extcap-init:bool x-pcie-flr-init:bool x-pcie-lnkctl-init:bool
  x-pcie-lnksta-dllla:bool x-pcie-pm-init:bool x-pcie-pm-no-soft-reset:bool
+virtio-gpu-gl-device =virtio-bus any_layout:bool blob:bool edid:bool event_idx:bool hostmem:size
  in_order:bool indirect_desc:bool iommu_platform:bool max_hostmem:size max_outputs:uint32
  notify_on_empty:bool packed:bool queue_reset:bool stats:bool use-disabled-flag:bool use-started:bool
  venus:bool x-disable-legacy-check:bool x-scanout-vmstate-version:uint8 xres:uint32 yres:uint32
+virtio-gpu-gl-pci acpi-index:uint32 addr:str aer:bool any_layout:bool ats:bool blob:bool busnr:busnr
  disable-legacy:OnOffAuto disable-modern:bool edid:bool event_idx:bool failover_pair_id:str hostmem:size
  in_order:bool indirect_desc:bool ioeventfd:bool iommu_platform:bool max_hostmem:size max_outputs:uint32
  migrate-extra:bool modern-pio-notify:bool multifunction:bool notify_on_empty:bool packed:bool
  page-per-vq:bool queue_reset:bool rombar:int32 romfile:str romsize:uint32 stats:bool use-disabled-flag:bool
  use-started:bool vectors:uint32 venus:bool virtio-pci-bus-master-bug-migration:bool x-ats-page-aligned:bool
  x-disable-legacy-check:bool x-disable-pcie:bool x-ignore-backend-features:bool x-max-bounce-buffer-size:size
  x-pcie-ari-nextfn-1:bool x-pcie-deverr-init:bool x-pcie-err-unc-mask:bool x-pcie-ext-tag:bool
  x-pcie-extcap-init:bool x-pcie-flr-init:bool x-pcie-lnkctl-init:bool x-pcie-lnksta-dllla:bool
  x-pcie-pm-init:bool x-pcie-pm-no-soft-reset:bool x-scanout-vmstate-version:uint8 xres:uint32 yres:uint32
+virtio-multitouch-device =virtio-bus any_layout:bool display:str event_idx:bool head:uint32 in_order:bool
  indirect_desc:bool iommu_platform:bool notify_on_empty:bool packed:bool queue_reset:bool serial:str
  use-disabled-flag:bool use-started:bool x-disable-legacy-check:bool
+virtio-multitouch-pci acpi-index:uint32 addr:str aer:bool any_layout:bool ats:bool busnr:busnr
  disable-legacy:OnOffAuto disable-modern:bool display:str event_idx:bool failover_pair_id:str head:uint32
  in_order:bool indirect_desc:bool iommu_platform:bool migrate-extra:bool modern-pio-notify:bool
  multifunction:bool notify_on_empty:bool packed:bool page-per-vq:bool queue_reset:bool rombar:int32
  romfile:str romsize:uint32 serial:str use-disabled-flag:bool use-started:bool vectors:uint32
  virtio-pci-bus-master-bug-migration:bool x-ats-page-aligned:bool x-disable-legacy-check:bool
  x-disable-pcie:bool x-ignore-backend-features:bool x-max-bounce-buffer-size:size x-pcie-ari-nextfn-1:bool
  x-pcie-deverr-init:bool x-pcie-err-unc-mask:bool x-pcie-ext-tag:bool x-pcie-extcap-init:bool
  x-pcie-flr-init:bool x-pcie-lnkctl-init:bool x-pcie-lnksta-dllla:bool x-pcie-pm-init:bool
  x-pcie-pm-no-soft-reset:bool
+virtio-sound-device =virtio-bus any_layout:bool audiodev:str chmaps:uint32 event_idx:bool in_order:bool
  indirect_desc:bool iommu_platform:bool jacks:uint32 notify_on_empty:bool packed:bool queue_reset:bool
  streams:uint32 use-disabled-flag:bool use-started:bool x-disable-legacy-check:bool
+virtio-sound-pci acpi-index:uint32 addr:str aer:bool any_layout:bool ats:bool audiodev:str busnr:busnr
  chmaps:uint32 disable-legacy:OnOffAuto disable-modern:bool event_idx:bool failover_pair_id:str in_order:bool
  indirect_desc:bool ioeventfd:bool iommu_platform:bool jacks:uint32 migrate-extra:bool modern-pio-notify:bool
  multifunction:bool notify_on_empty:bool packed:bool page-per-vq:bool queue_reset:bool rombar:int32
  romfile:str romsize:uint32 streams:uint32 use-disabled-flag:bool use-started:bool vectors:uint32
  virtio-pci-bus-master-bug-migration:bool x-ats-page-aligned:bool x-disable-legacy-check:bool
  x-disable-pcie:bool x-ignore-backend-features:bool x-max-bounce-buffer-size:size x-pcie-ari-nextfn-1:bool
  x-pcie-deverr-init:bool x-pcie-err-unc-mask:bool x-pcie-ext-tag:bool x-pcie-extcap-init:bool
  x-pcie-flr-init:bool x-pcie-lnkctl-init:bool x-pcie-lnksta-dllla:bool x-pcie-pm-init:bool
  x-pcie-pm-no-soft-reset:bool
+virtio-vga-gl acpi-index:uint32 addr:str aer:bool any_layout:bool ats:bool big-endian-framebuffer:bool
  blob:bool busnr:busnr disable-legacy:OnOffAuto disable-modern:bool edid:bool event_idx:bool
  failover_pair_id:str hostmem:size in_order:bool indirect_desc:bool ioeventfd:bool iommu_platform:bool
  max_hostmem:size max_outputs:uint32 migrate-extra:bool modern-pio-notify:bool multifunction:bool
  notify_on_empty:bool packed:bool page-per-vq:bool queue_reset:bool rombar:int32 romfile:str romsize:uint32
  stats:bool use-disabled-flag:bool use-started:bool vectors:uint32 venus:bool
  virtio-pci-bus-master-bug-migration:bool x-ats-page-aligned:bool x-disable-legacy-check:bool
  x-disable-pcie:bool x-ignore-backend-features:bool x-max-bounce-buffer-size:size x-pcie-ari-nextfn-1:bool
  x-pcie-deverr-init:bool x-pcie-err-unc-mask:bool x-pcie-ext-tag:bool x-pcie-extcap-init:bool
  x-pcie-flr-init:bool x-pcie-lnkctl-init:bool x-pcie-lnksta-dllla:bool x-pcie-pm-init:bool
  x-pcie-pm-no-soft-reset:bool x-scanout-vmstate-version:uint8 xres:uint32 yres:uint32
+vmclock =-
+xen-backend =xen-sysbus
+xen-cdrom =xen-bus account-failed:OnOffAuto account-invalid:OnOffAuto backend_defaults:OnOffAuto
  discard_granularity:size drive:str frontend-id:uint16 iothread:link logical_block_size:size
  max-ring-page-order:uint32 min_io_size:size opt_io_size:size physical_block_size:size share-rw:bool vdev:str
  write-cache:OnOffAuto
+xen-console =xen-bus chardev:str frontend-id:uint16 idx:int32
+xen-disk =xen-bus account-failed:OnOffAuto account-invalid:OnOffAuto backend_defaults:OnOffAuto
  discard_granularity:size drive:str frontend-id:uint16 iothread:link logical_block_size:size
  max-ring-page-order:uint32 min_io_size:size opt_io_size:size physical_block_size:size share-rw:bool vdev:str
  write-cache:OnOffAuto
+xen-net-device =xen-bus frontend-id:uint16 idx:int32 mac:str netdev:str
+xen-platform acpi-index:uint32 addr:str busnr:busnr failover_pair_id:str multifunction:bool rombar:int32
  romfile:str romsize:uint32 x-max-bounce-buffer-size:size x-pcie-ari-nextfn-1:bool x-pcie-err-unc-mask:bool
  x-pcie-ext-tag:bool x-pcie-extcap-init:bool x-pcie-lnksta-dllla:bool
-pvrdma
-sga
+cpu ClearwaterForest ClearwaterForest-v1 EPYC-Genoa EPYC-Genoa-v1 EPYC-Milan-v2 EPYC-Rome-v3 EPYC-Rome-v4
  EPYC-v4 GraniteRapids GraniteRapids-v1 GraniteRapids-v2 Icelake-Server-v7 SapphireRapids SapphireRapids-v1
  SapphireRapids-v2 SapphireRapids-v3 SierraForest SierraForest-v1 SierraForest-v2 YongFeng YongFeng-v1
  YongFeng-v2
"""
_IN_11_1 = """\
* -x-pcie-extcap-init sriov-pf:str
@virtio -migrate-extra -x-disable-pcie -x-ignore-backend-features -x-pcie-deverr-init -x-pcie-lnkctl-init
  -x-pcie-pm-init
VGA -global-vmstate
amd-iommu dma-remap:bool dma-translation:bool pci-id:str -pt
ati-vga refresh_rate:uint32 x-linear-aper-size:uint64 xmax:uint32 xres:uint32 ymax:uint32 yres:uint32
cirrus-vga -global-vmstate
cxl-downstream x-256b-flit:bool
cxl-rp x-256b-flit:bool -disable-acs
cxl-type3 hdm-db:bool x-256b-flit:bool
cxl-upstream x-256b-flit:bool
e1000 -extra_mac_registers
e1000-82544gc -extra_mac_registers
e1000-82545em -extra_mac_registers
floppy stats-intervals:list
hda-duplex -use-timer
hda-micro -use-timer
hda-output -use-timer
ide-cd stats-intervals:list
ide-cf stats-intervals:list
ide-hd stats-intervals:list
intel-iommu fsts:bool pasid-bits:uint8 scalable-mode:bool svm:bool -dma-drain -pt -x-buggy-eim -x-flts
  -x-pasid-mode -x-scalable-mode
ioh3420 -disable-acs
ipmi-bmc-sim lan.channel:uint8 lan.defgw_ipaddr:str lan.defgw_macaddr:str lan.ipaddr:str lan.ipsrc:uint8
  lan.macaddr:str lan.netmask:str
isa-cirrus-vga global-vmstate:bool
mc146818rtc date:struct
nvme firmware-version:str legacy-cmb:bool model:str spdm_trans:SpdmTransportType stats-intervals:list
nvme-ns atomic.nabo:uint16 atomic.nabsn:uint16 atomic.nabspf:uint16 atomic.nawun:uint16 atomic.nawupf:uint16
  stats-intervals:list
pci-serial -prog_if
pci-serial-2x -prog_if
pci-serial-4x -prog_if
pci-testdev membar-backed:bool
pcie-root-port -disable-acs -x-migrate-msix
pvscsi -x-disable-pcie -x-old-pci-configuration
qxl -global-vmstate
qxl-vga -global-vmstate
ramfb use-legacy-x86-rom:bool
scsi-block migrate-pr:bool
scsi-cd quirk_mode_page_set_block_size:bool stats-intervals:list
scsi-hd quirk_mode_page_set_block_size:bool stats-intervals:list
sdhci-pci -endianness -vendor
tpm-crb cap-chunk:bool x-allow-chunk-migration:bool -ppi
tpm-tis -ppi
uefi-vars-sysbus pcapfile:str
uefi-vars-x64 pcapfile:str
ufs wb-max-size:uint32 wb-min-size:uint32
usb-storage stats-intervals:list
vfio-pci ats:OnOffAuto x-migration-load-config-after-iter:OnOffAuto x-migration-max-queued-buffers-size:size
  x-pci-class-code:uint32 x-vpasid-cap-offset:uint16
vfio-pci-nohotplug ats:OnOffAuto use-legacy-x86-rom:bool x-migration-load-config-after-iter:OnOffAuto
  x-migration-max-queued-buffers-size:size x-pci-class-code:uint32 x-vpasid-cap-offset:uint16
vhost-scsi hotplug:bool
vhost-scsi-pci hotplug:bool
vhost-scsi-pci-non-transitional hotplug:bool -migrate-extra -x-disable-pcie -x-ignore-backend-features
  -x-pcie-deverr-init -x-pcie-lnkctl-init -x-pcie-pm-init
vhost-scsi-pci-transitional hotplug:bool -migrate-extra -x-disable-pcie -x-ignore-backend-features
  -x-pcie-deverr-init -x-pcie-lnkctl-init -x-pcie-pm-init
vhost-user-blk inflight-migration:bool seg-max-adjust:bool skip-get-vring-base-on-force-shutdown:bool
vhost-user-blk-pci inflight-migration:bool seg-max-adjust:bool skip-get-vring-base-on-force-shutdown:bool
vhost-user-blk-pci-non-transitional inflight-migration:bool seg-max-adjust:bool
  skip-get-vring-base-on-force-shutdown:bool -migrate-extra -x-disable-pcie -x-ignore-backend-features
  -x-pcie-deverr-init -x-pcie-lnkctl-init -x-pcie-pm-init
vhost-user-blk-pci-transitional inflight-migration:bool seg-max-adjust:bool
  skip-get-vring-base-on-force-shutdown:bool -migrate-extra -x-disable-pcie -x-ignore-backend-features
  -x-pcie-deverr-init -x-pcie-lnkctl-init -x-pcie-pm-init
vhost-user-fs-pci -migrate-extra -x-disable-pcie -x-ignore-backend-features -x-pcie-deverr-init
  -x-pcie-lnkctl-init -x-pcie-pm-init
vhost-user-gpio-pci -migrate-extra -x-disable-pcie -x-ignore-backend-features -x-pcie-deverr-init
  -x-pcie-lnkctl-init -x-pcie-pm-init
vhost-user-gpu outputs:VirtIOGPUOutputList
vhost-user-gpu-pci outputs:VirtIOGPUOutputList
vhost-user-i2c-pci -migrate-extra -x-disable-pcie -x-ignore-backend-features -x-pcie-deverr-init
  -x-pcie-lnkctl-init -x-pcie-pm-init
vhost-user-rng-pci -migrate-extra -x-disable-pcie -x-ignore-backend-features -x-pcie-deverr-init
  -x-pcie-lnkctl-init -x-pcie-pm-init
vhost-user-scsi-pci-non-transitional -migrate-extra -x-disable-pcie -x-ignore-backend-features
  -x-pcie-deverr-init -x-pcie-lnkctl-init -x-pcie-pm-init
vhost-user-scsi-pci-transitional -migrate-extra -x-disable-pcie -x-ignore-backend-features -x-pcie-deverr-init
  -x-pcie-lnkctl-init -x-pcie-pm-init
vhost-user-snd-pci -migrate-extra -x-disable-pcie -x-ignore-backend-features -x-pcie-deverr-init
  -x-pcie-lnkctl-init -x-pcie-pm-init
vhost-user-vga outputs:VirtIOGPUOutputList
vhost-user-vsock-pci-non-transitional -migrate-extra -x-disable-pcie -x-ignore-backend-features
  -x-pcie-deverr-init -x-pcie-lnkctl-init -x-pcie-pm-init
vhost-vdpa-device-pci-non-transitional -migrate-extra -x-disable-pcie -x-ignore-backend-features
  -x-pcie-deverr-init -x-pcie-lnkctl-init -x-pcie-pm-init
vhost-vdpa-device-pci-transitional -migrate-extra -x-disable-pcie -x-ignore-backend-features
  -x-pcie-deverr-init -x-pcie-lnkctl-init -x-pcie-pm-init
vhost-vsock-pci-non-transitional -migrate-extra -x-disable-pcie -x-ignore-backend-features -x-pcie-deverr-init
  -x-pcie-lnkctl-init -x-pcie-pm-init
virtio-9p-pci-non-transitional -migrate-extra -x-disable-pcie -x-ignore-backend-features -x-pcie-deverr-init
  -x-pcie-lnkctl-init -x-pcie-pm-init
virtio-9p-pci-transitional -migrate-extra -x-disable-pcie -x-ignore-backend-features -x-pcie-deverr-init
  -x-pcie-lnkctl-init -x-pcie-pm-init
virtio-balloon-device -qemu-4-0-config-size
virtio-balloon-pci -qemu-4-0-config-size
virtio-balloon-pci-non-transitional -migrate-extra -qemu-4-0-config-size -x-disable-pcie
  -x-ignore-backend-features -x-pcie-deverr-init -x-pcie-lnkctl-init -x-pcie-pm-init
virtio-balloon-pci-transitional -migrate-extra -qemu-4-0-config-size -x-disable-pcie
  -x-ignore-backend-features -x-pcie-deverr-init -x-pcie-lnkctl-init -x-pcie-pm-init
virtio-blk-device stats-intervals:list
virtio-blk-pci stats-intervals:list
virtio-blk-pci-non-transitional stats-intervals:list -migrate-extra -x-disable-pcie -x-ignore-backend-features
  -x-pcie-deverr-init -x-pcie-lnkctl-init -x-pcie-pm-init
virtio-blk-pci-transitional stats-intervals:list -migrate-extra -x-disable-pcie -x-ignore-backend-features
  -x-pcie-deverr-init -x-pcie-lnkctl-init -x-pcie-pm-init
virtio-gpu-device outputs:VirtIOGPUOutputList
virtio-gpu-gl-device drm_native_context:bool outputs:VirtIOGPUOutputList
virtio-gpu-gl-pci drm_native_context:bool outputs:VirtIOGPUOutputList
virtio-gpu-pci outputs:VirtIOGPUOutputList
virtio-mouse-device -wheel-axis
virtio-mouse-pci -wheel-axis
virtio-net-device guest_tunnel:bool guest_tunnel_csum:bool hash-ipv4:OnOffAuto hash-ipv6:OnOffAuto
  hash-ipv6ex:OnOffAuto hash-tcp4:OnOffAuto hash-tcp6:OnOffAuto hash-tcp6ex:OnOffAuto hash-udp4:OnOffAuto
  hash-udp6:OnOffAuto hash-udp6ex:OnOffAuto host_tunnel:bool host_tunnel_csum:bool -x-mtu-bypass-backend
virtio-net-pci guest_tunnel:bool guest_tunnel_csum:bool hash-ipv4:OnOffAuto hash-ipv6:OnOffAuto
  hash-ipv6ex:OnOffAuto hash-tcp4:OnOffAuto hash-tcp6:OnOffAuto hash-tcp6ex:OnOffAuto hash-udp4:OnOffAuto
  hash-udp6:OnOffAuto hash-udp6ex:OnOffAuto host_tunnel:bool host_tunnel_csum:bool -x-mtu-bypass-backend
virtio-net-pci-non-transitional guest_tunnel:bool guest_tunnel_csum:bool hash-ipv4:OnOffAuto
  hash-ipv6:OnOffAuto hash-ipv6ex:OnOffAuto hash-tcp4:OnOffAuto hash-tcp6:OnOffAuto hash-tcp6ex:OnOffAuto
  hash-udp4:OnOffAuto hash-udp6:OnOffAuto hash-udp6ex:OnOffAuto host_tunnel:bool host_tunnel_csum:bool
  -migrate-extra -x-disable-pcie -x-ignore-backend-features -x-mtu-bypass-backend -x-pcie-deverr-init
  -x-pcie-lnkctl-init -x-pcie-pm-init
virtio-net-pci-transitional guest_tunnel:bool guest_tunnel_csum:bool hash-ipv4:OnOffAuto hash-ipv6:OnOffAuto
  hash-ipv6ex:OnOffAuto hash-tcp4:OnOffAuto hash-tcp6:OnOffAuto hash-tcp6ex:OnOffAuto hash-udp4:OnOffAuto
  hash-udp6:OnOffAuto hash-udp6ex:OnOffAuto host_tunnel:bool host_tunnel_csum:bool -migrate-extra
  -x-disable-pcie -x-ignore-backend-features -x-mtu-bypass-backend -x-pcie-deverr-init -x-pcie-lnkctl-init
  -x-pcie-pm-init
virtio-rng-pci-non-transitional -migrate-extra -x-disable-pcie -x-ignore-backend-features -x-pcie-deverr-init
  -x-pcie-lnkctl-init -x-pcie-pm-init
virtio-rng-pci-transitional -migrate-extra -x-disable-pcie -x-ignore-backend-features -x-pcie-deverr-init
  -x-pcie-lnkctl-init -x-pcie-pm-init
virtio-scsi-pci-non-transitional -migrate-extra -x-disable-pcie -x-ignore-backend-features -x-pcie-deverr-init
  -x-pcie-lnkctl-init -x-pcie-pm-init
virtio-scsi-pci-transitional -migrate-extra -x-disable-pcie -x-ignore-backend-features -x-pcie-deverr-init
  -x-pcie-lnkctl-init -x-pcie-pm-init
virtio-serial-device -emergency-write
virtio-serial-pci -emergency-write
virtio-serial-pci-non-transitional -emergency-write -migrate-extra -x-disable-pcie -x-ignore-backend-features
  -x-pcie-deverr-init -x-pcie-lnkctl-init -x-pcie-pm-init
virtio-serial-pci-transitional -emergency-write -migrate-extra -x-disable-pcie -x-ignore-backend-features
  -x-pcie-deverr-init -x-pcie-lnkctl-init -x-pcie-pm-init
virtio-tablet-device -wheel-axis
virtio-tablet-pci -wheel-axis
virtio-vga outputs:VirtIOGPUOutputList
virtio-vga-gl drm_native_context:bool outputs:VirtIOGPUOutputList
vmware-svga -global-vmstate
vmxnet3 -x-disable-pcie -x-old-msi-offsets
xen-cdrom stats-intervals:list
xen-disk stats-intervals:list
+emmc =sd-bus auth-key:str boot-config:uint8 boot-partition-size:uint64 drive:str rpmb-partition-size:uint64
+iommu-testdev acpi-index:uint32 addr:str busnr:busnr failover_pair_id:str multifunction:bool rombar:int32
  romfile:str romsize:uint32 sriov-pf:str x-max-bounce-buffer-size:size x-pcie-ari-nextfn-1:bool
  x-pcie-err-unc-mask:bool x-pcie-ext-tag:bool x-pcie-lnksta-dllla:bool
+nitro-heartbeat =nitro-vsock-bus
+nitro-serial-vsock =nitro-vsock-bus chardev:str
+sp-mem =- addr:uint64 memdev:link node:uint32
+vfio-user-pci acpi-index:uint32 addr:str bootindex:int32 busnr:busnr failover_pair_id:str multifunction:bool
  rombar:int32 romfile:str romsize:uint32 socket:SocketAddress sriov-pf:str x-max-bounce-buffer-size:size
  x-msg-timeout:uint32 x-no-posted-writes:bool x-pci-class-code:uint32 x-pci-device-id:uint32
  x-pci-sub-device-id:uint32 x-pci-sub-vendor-id:uint32 x-pci-vendor-id:uint32 x-pcie-ari-nextfn-1:bool
  x-pcie-err-unc-mask:bool x-pcie-ext-tag:bool x-pcie-lnksta-dllla:bool x-send-queued:bool
+vhost-user-rtc =virtio-bus any_layout:bool chardev:str event_idx:bool in_order:bool indirect_desc:bool
  iommu_platform:bool notify_on_empty:bool packed:bool queue_reset:bool use-disabled-flag:bool
  use-started:bool x-disable-legacy-check:bool
+vhost-user-rtc-pci acpi-index:uint32 addr:str aer:bool any_layout:bool ats:bool busnr:busnr chardev:str
  event_idx:bool failover_pair_id:str in_order:bool indirect_desc:bool iommu_platform:bool
  modern-pio-notify:bool multifunction:bool notify_on_empty:bool packed:bool page-per-vq:bool queue_reset:bool
  rombar:int32 romfile:str romsize:uint32 sriov-pf:str use-disabled-flag:bool use-started:bool
  virtio-pci-bus-master-bug-migration:bool x-ats-page-aligned:bool x-disable-legacy-check:bool
  x-max-bounce-buffer-size:size x-pcie-ari-nextfn-1:bool x-pcie-err-unc-mask:bool x-pcie-ext-tag:bool
  x-pcie-flr-init:bool x-pcie-lnksta-dllla:bool x-pcie-pm-no-soft-reset:bool
+vhost-user-spi-device =virtio-bus any_layout:bool chardev:str event_idx:bool in_order:bool indirect_desc:bool
  iommu_platform:bool notify_on_empty:bool packed:bool queue_reset:bool use-disabled-flag:bool
  use-started:bool x-disable-legacy-check:bool
+vhost-user-spi-pci acpi-index:uint32 addr:str aer:bool any_layout:bool ats:bool busnr:busnr chardev:str
  event_idx:bool failover_pair_id:str in_order:bool indirect_desc:bool iommu_platform:bool
  modern-pio-notify:bool multifunction:bool notify_on_empty:bool packed:bool page-per-vq:bool queue_reset:bool
  rombar:int32 romfile:str romsize:uint32 sriov-pf:str use-disabled-flag:bool use-started:bool
  virtio-pci-bus-master-bug-migration:bool x-ats-page-aligned:bool x-disable-legacy-check:bool
  x-max-bounce-buffer-size:size x-pcie-ari-nextfn-1:bool x-pcie-err-unc-mask:bool x-pcie-ext-tag:bool
  x-pcie-flr-init:bool x-pcie-lnksta-dllla:bool x-pcie-pm-no-soft-reset:bool
+vhost-user-test-device =virtio-bus any_layout:bool chardev:str config_size:uint32 event_idx:bool
  in_order:bool indirect_desc:bool iommu_platform:bool notify_on_empty:bool num_vqs:uint32 packed:bool
  queue_reset:bool use-disabled-flag:bool use-started:bool virtio-id:uint16 vq_size:uint32
  x-disable-legacy-check:bool
+vhost-user-test-device-pci acpi-index:uint32 addr:str aer:bool any_layout:bool ats:bool busnr:busnr
  chardev:str config_size:uint32 event_idx:bool failover_pair_id:str in_order:bool indirect_desc:bool
  iommu_platform:bool modern-pio-notify:bool multifunction:bool notify_on_empty:bool num_vqs:uint32
  packed:bool page-per-vq:bool queue_reset:bool rombar:int32 romfile:str romsize:uint32 sriov-pf:str
  use-disabled-flag:bool use-started:bool virtio-id:uint16 virtio-pci-bus-master-bug-migration:bool
  vq_size:uint32 x-ats-page-aligned:bool x-disable-legacy-check:bool x-max-bounce-buffer-size:size
  x-pcie-ari-nextfn-1:bool x-pcie-err-unc-mask:bool x-pcie-ext-tag:bool x-pcie-flr-init:bool
  x-pcie-lnksta-dllla:bool x-pcie-pm-no-soft-reset:bool
+virtio-rtc-device =virtio-bus any_layout:bool event_idx:bool in_order:bool indirect_desc:bool
  iommu_platform:bool notify_on_empty:bool packed:bool queue_reset:bool use-disabled-flag:bool
  use-started:bool x-disable-legacy-check:bool
+virtio-rtc-pci acpi-index:uint32 addr:str aer:bool any_layout:bool ats:bool busnr:busnr event_idx:bool
  failover_pair_id:str in_order:bool indirect_desc:bool iommu_platform:bool modern-pio-notify:bool
  multifunction:bool notify_on_empty:bool packed:bool page-per-vq:bool queue_reset:bool rombar:int32
  romfile:str romsize:uint32 sriov-pf:str use-disabled-flag:bool use-started:bool
  virtio-pci-bus-master-bug-migration:bool x-ats-page-aligned:bool x-disable-legacy-check:bool
  x-max-bounce-buffer-size:size x-pcie-ari-nextfn-1:bool x-pcie-err-unc-mask:bool x-pcie-ext-tag:bool
  x-pcie-flr-init:bool x-pcie-lnksta-dllla:bool x-pcie-pm-no-soft-reset:bool
+cpu Cascadelake-Server-v6 Cascadelake-Server-v7 ClearwaterForest-v2 ClearwaterForest-v3 ClearwaterForest-v4
  DiamondRapids DiamondRapids-v1 DiamondRapids-v2 EPYC-Genoa-v2 EPYC-Genoa-v3 EPYC-Milan-v3 EPYC-Milan-v4
  EPYC-Rome-v5 EPYC-Turin EPYC-Turin-v1 EPYC-Turin-v2 EPYC-v5 GraniteRapids-v3 GraniteRapids-v4
  GraniteRapids-v5 GraniteRapids-v6 GraniteRapids-v7 Icelake-Server-v8 Icelake-Server-v9 SapphireRapids-v4
  SapphireRapids-v5 SapphireRapids-v6 SapphireRapids-v7 SapphireRapids-v8 SierraForest-v3 SierraForest-v4
  SierraForest-v5 SierraForest-v6 Skylake-Server-v6 YongFeng-v3
"""
CHANGES = (("10.0", _IN_10_0), ("11.1", _IN_11_1))
"""For each QEMU its changes from the one before, oldest first."""
