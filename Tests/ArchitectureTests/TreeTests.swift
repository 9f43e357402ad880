import Foundation
import Testing

private let topLevel: Set<String> = [
    "Package.swift", "Sources", "Tests", "packaging", "systemd", "README.md", "LICENSE",
    // Written by the package manager, and ignored by git.
    "Package.resolved",
]

private func strangers(among names: [String]) -> [String] {
    names.filter { !$0.hasPrefix(".") && !topLevel.contains($0) }
}

private func vagueNames(among files: [HouseTree.SourceFile]) -> [String] {
    files.filter { $0.name.contains(/Util|Helper|Common|Misc/) }.map(\.path)
}

@Suite struct TreeTests {
    @Test func `the top level holds what the plan names and nothing else`() throws {
        let broken = try strangers(among: HouseTree.here.topLevelNames())
        #expect(broken == [])
    }

    @Test func `files are named for their subject`() throws {
        let broken = try vagueNames(among: HouseTree.sources + HouseTree.tests)
        #expect(broken == [])
    }

    @Test func `every target has tests, named for it`() throws {
        let sources = Set(try HouseTree.sources.map(\.target))
        let tests = Set(try HouseTree.tests.map(\.target))
        // The two programs are tested as wholes; see SystemTests.
        let programs: Set = ["cloudflared", "cloudflared-edge"]
        #expect(sources.subtracting(programs).filter { !tests.contains($0 + "Tests") } == [])
    }

    @Test func `a stranger and a vague name are caught`() {
        #expect(strangers(among: ["Sources", ".ci", "notes.txt"]) == ["notes.txt"])
        let files = ["StringUtils", "Helpers", "CommonTypes", "EdgeServer+Common", "Backoff"]
            .map { HouseTree.SourceFile(path: "Sources/Edge/\($0).swift", text: "") }
        #expect(vagueNames(among: files).count == 4)
    }
}
