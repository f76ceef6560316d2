"""Sets of rules that a site can name in `banned_rules` without writing any: data, in the form of settings.

Each has a text for the manual and tables as in `[[banned_rule]]`, of which one that applies is enough. They
say what is banned, never what is then done. The lists are what Outlook and Gmail don't let a user open, and
what amavisd-new's default configuration bans, sorted by what makes it dangerous. Read by config.banned only:
rules come to the filter compiled.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Table = dict[str, Any]

EXECUTABLES = (
    "exe com scr pif cpl dll ocx sys drv vxd ade adp app application appref-ms appx appxbundle msix "
    "msixbundle appinstaller msi msp mst msu gadget grp jar jnlp jnl class apk aab ipa xap xbap xll wll xbe "
    "dex elf so dylib run appimage rpm deb pkg mpkg sis sisx a3x air crx xpi ex_ lib bgi cnt cab osx diagcab "
    "diagcfg diagpkg fxp prg vsw ins isp its"
)
SCRIPTS = (
    "js jse mjs vbs vbe vb wsf wsh ws wsc sct bat cmd btm ps1 ps1xml ps2 ps2xml psc1 psc2 psd1 psdm1 psm1 "
    "pssc msh msh1 msh2 mshxml msh1xml msh2xml hta htc chm hlp reg inf msc scf shb shs jsp asp aspx asx ahk "
    "au3 sh bash csh ksh zsh command workflow applescript scpt scptd py pyc pyo pyw pyz pyzw pl plx rb php "
    "phar lua tcl nsh ops osd pcd plg printerexport prf webpnp mcf xnk"
)
MACROS = (
    "docm dotm xlsm xltm xlam pptm potm ppsm ppam sldm vsdm vssm vstm xla xlm xlw slk iqy oqy dqy rqy "
    "bas mad maf mag mam maq mar mas mat mau mav maw mda mdb mde mdt mdw mdz accda accde accdr accdu "
    "vbp vsmacros wiz"
)
SHORTCUTS = (
    "lnk url website webloc desktop rdp library-ms search-ms searchconnector-ms settingcontent-ms "
    "appcontent-ms theme themepack deskthemepack scf appref-ms contact inetloc fileloc"
)
DISK_IMAGES = (
    "iso img udf isz nrg cdr toast vhd vhdx avhd avhdx vmdk vdi qcow qcow2 hdd dmg sparseimage wim swm esd "
    "daa vfd ima"
)
DOCUMENTS = (
    "pdf doc docx docm dot rtf odt xls xlsx xlsm xlsb ods csv ppt pptx pps ppsx odp vsd txt text log md xml "
    "htm html mht mhtml eml msg ics vcf jpg jpeg jpe jfif png gif bmp tif tiff webp svg heic ico psd ai eps "
    "mp3 m4a wav ogg wma mp4 m4v mov avi mkv wmv mpg mpeg 3gp zip rar 7z gz tar xps epub pub one json"
)
"""What looks harmless in front of the extension that counts."""
PROGRAMS = f"{EXECUTABLES} {SCRIPTS} {SHORTCUTS} docm xlsm pptm iso img vhd vhdx"
"""Extensions that count when they stand behind one of a document."""

_LOCKS = (
    "zip rar 7z arj ace alz stuffit lrzip lha zoo arc sfx nsis cab wim xar rpm ar cpio tar iso vhd dmg "
    "squashfs chm sis gzip bzip2 xz lzma lzip lzop lz4 zstd brotli compress freeze pack szdd unknown"
)
"""Formats that are no documents and no mail."""


def _words(text: str) -> list[str]:
    return text.split()


SETS: "dict[str, tuple[str, tuple[Table, ...]]]" = {
    "executables": (
        "Programs, libraries, installers, packages: by their extension; by their content, whatever they are "
        "called: of DOS and Windows, ELF, Mach-O, Java, Android, Symbian, RPM, AutoIt; Java and Android "
        "archives by the members they must have; names that end in a class id.",
        (
            {"extensions": _words(EXECUTABLES)},
            {"names": ["*.{????????-????-????-????-????????????}"]},
            {"names": ["META-INF/MANIFEST.MF", "AndroidManifest.xml"]},
            {
                "kinds": [
                    "application/x-dosexec",
                    "application/x-executable",
                    "application/x-mach-binary",
                    "application/java-vm",
                    "application/x-dex",
                    "application/x-sis",
                    "application/x-autoit",
                    "application/x-rpm",
                ],
                "content": "attachment",
            },
        ),
    ),
    "scripts": (
        "What an interpreter runs when it is opened: scripts of Windows, Unix and macOS, HTML applications, "
        "compiled help, files for the registry, consoles. A script is a text like any other, so it is known "
        "by extension and claimed type alone; compiled help by content, too.",
        (
            {"extensions": _words(SCRIPTS)},
            {"kinds": ["application/vnd.ms-htmlhelp"]},
            {
                "claimed": [
                    "text/javascript",
                    "text/ecmascript",
                    "text/vbscript",
                    "text/x-vbscript",
                    "text/x-python",
                    "text/x-perl",
                    "text/x-sh",
                    "text/x-shellscript",
                    "text/scriptlet",
                    "application/javascript",
                    "application/x-javascript",
                    "application/ecmascript",
                    "application/hta",
                    "application/x-sh",
                    "application/x-csh",
                    "application/x-bat",
                    "application/x-perl",
                    "application/x-msh",
                ],
                "content": "file",
            },
        ),
    ),
    "macros": (
        "Office documents that can run: by the extensions that say so; by the source of a VBA module, in "
        "whatever it was found (modules come out as NAME.bas); by the usual names of members that hold VBA, "
        "macro sheets, or macros of OpenDocument, even an empty library. Not found are macros of Excel 4 in "
        "an .xls, and modules of a .doc whose source was removed.",
        (
            {"extensions": _words(MACROS)},
            {"names": ["*vbaProject.bin", "xl/macrosheets/*"]},
            {
                "names": ["*vbaProject.bin", "*/macrosheets/*", "Basic/*/*.xml", "Scripts/*/*"],
                "inside_office": True,
            },
        ),
    ),
    "shortcuts": (
        "What leads elsewhere when it is opened: links of Windows, also by content, and their kin. None has "
        "any use on another machine.",
        (
            {"extensions": _words(SHORTCUTS)},
            {"kinds": ["application/x-ms-shortcut"]},
        ),
    ),
    "disk-images": (
        "Discs and file systems, which Windows and macOS open like a folder, and whose files then don't bear "
        "the mark of what came from outside: by extension and by content.",
        (
            {"extensions": _words(DISK_IMAGES)},
            {
                "kinds": [
                    "application/x-iso9660-image",
                    "application/x-apple-diskimage",
                    "application/x-vhd",
                    "application/x-squashfs",
                    "application/x-ms-wim",
                ]
            },
        ),
    ),
    "double-extensions": (
        "A name that looks like a document's and is not: `invoice.pdf.exe`, with any blanks and dots "
        "between, or with characters that turn the direction of writing.",
        ({"double_extension": True},),
    ),
    "encrypted-archives": (
        "Archives and disk images that no known password opened, and what is in them. Not encrypted mail "
        "(S/MIME, OpenPGP), PDF and Office documents.",
        ({"encrypted": _words(_LOCKS)},),
    ),
    "everything": (
        "Every attachment, and every file in an archive; not the mail's texts, and not what documents are "
        "made of. Last in a list of rules, after those that let pass what is allowed.",
        ({"content": "file"},),
    ),
}
"""By name: text, tables."""
