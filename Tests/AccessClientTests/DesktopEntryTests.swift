import Foundation
import Testing
import TunnelConfig

@testable import AccessClient

@Suite struct DesktopEntryTests {
    private func entry(program: String = "/usr/bin/cloudflared", hostname: String = "monday.example.com") throws
        -> DesktopEntry
    {
        try DesktopEntry(
            hostname: AccessHostname.parse(hostname), listen: ListenAddress.parse("localhost:2244"), program: program)
    }

    @Test func `the entry is the documented one`() throws {
        #expect(
            try entry().text == """
                [Desktop Entry]
                Type=Application
                Name=RDP monday.example.com
                Exec="/usr/bin/cloudflared" access rdp --hostname monday.example.com --url localhost:2244
                Terminal=true
                Categories=Network;RemoteAccess;

                """)
        #expect(try entry().fileName == "cloudflared-monday.example.com.desktop")
    }

    @Test func `every special character is quoted for Exec and for the file`() throws {
        #expect(DesktopEntry.execLine(["/opt/a b/$x`\"\\c%"]) == #""/opt/a b/\\$x\\`\\"\\\\c%%""#)
        #expect(DesktopEntry.execLine(["/p", "h/a?b=c%20d", ""]) == #""/p" "h/a?b=c%%20d" """#)
        #expect(
            try entry(hostname: "h.example.com/a;b?c=1").text.contains(#"--hostname "h.example.com/a;b?c=1" --url"#))
    }

    @Test func `a destination is written, an unusable program refused`() throws {
        let jump = try DesktopEntry(
            hostname: AccessHostname.parse("h.example.com"), listen: ListenAddress.parse("127.0.0.1:2244"),
            destination: JumpDestination.parse("rdp://rdpserver"), program: "/usr/bin/cloudflared")
        #expect(jump.text.contains(" --destination rdpserver:3389\n"))
        for program in ["cloudflared", "/usr/bin/cloud\nflared", ""] {
            #expect(throws: AccessError.self) { try entry(program: program) }
        }
    }

    @Test func `writing makes the folder and replaces an earlier entry`() throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent(
            "entry-\(UUID().uuidString)/applications"
        ).path
        defer { try? FileManager.default.removeItem(atPath: folder) }
        _ = try entry(program: "/old").write(toDirectory: folder)
        let path = try entry().write(toDirectory: folder, isExecutable: true)
        #expect(try String(contentsOfFile: path, encoding: .utf8) == entry().text)
        let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
        #expect(mode == 0o755)
        #expect(throws: AccessError.self) { try entry().write(toDirectory: "/dev/null/x") }
    }

    @Test func `the folder follows the environment and the program is this one`() throws {
        #expect(try DesktopEntry.applicationsDirectory(environment: ["HOME": "/h"]) == "/h/.local/share/applications")
        #expect(
            try DesktopEntry.applicationsDirectory(environment: ["XDG_DATA_HOME": "/d", "HOME": "/h"])
                == "/d/applications")
        #expect(throws: AccessError.self) { try DesktopEntry.applicationsDirectory(environment: [:]) }
        #expect(try FileManager.default.isExecutableFile(atPath: DesktopEntry.currentProgram()))
    }
}
