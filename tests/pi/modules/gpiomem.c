// SPDX-License-Identifier: GPL-2.0
/*
 * /dev/gpiomem for the emulated Pi: the registers of the GPIO block, and nothing else, for whoever may open it.
 * Raspberry Pi OS's kernel has a driver of this name and this use; Debian's has none.
 */
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/of.h>
#include <linux/of_address.h>

static struct resource registers;

static int gpiomem_mmap(struct file *file, struct vm_area_struct *vma)
{
	vma->vm_page_prot = pgprot_noncached(vma->vm_page_prot);
	return vm_iomap_memory(vma, registers.start, PAGE_SIZE);
}

static const struct file_operations gpiomem_operations = {
	.owner = THIS_MODULE,
	.mmap = gpiomem_mmap,
};

static struct miscdevice gpiomem = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "gpiomem",
	.fops = &gpiomem_operations,
};

static int __init gpiomem_init(void)
{
	struct device_node *node = of_find_compatible_node(NULL, NULL, "brcm,bcm2835-gpio");
	int error;

	if (!node)
		return -ENODEV;
	error = of_address_to_resource(node, 0, &registers);
	of_node_put(node);
	return error ? error : misc_register(&gpiomem);
}

static void __exit gpiomem_exit(void)
{
	misc_deregister(&gpiomem);
}

module_init(gpiomem_init);
module_exit(gpiomem_exit);
MODULE_DESCRIPTION("The GPIO registers of a BCM2835 for user space");
MODULE_LICENSE("GPL");
