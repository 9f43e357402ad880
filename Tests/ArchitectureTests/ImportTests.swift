import Testing

/// Which floor of the house a target lies on. A new target must be given its place here.
private let floors: [String: Floor] = [
    "CSystemd": .system, "CAres": .system, "CSodium": .system,
    "CapnProto": .pure, "TunnelWire": .pure, "TunnelConfig": .pure, "AccessPolicy": .pure,
    "ByteStream": .carrier,
    "EdgeTransport": .driver, "OriginTransport": .driver, "Access": .driver, "ServiceHost": .driver,
    "ControlAPI": .driver, "EdgeStore": .driver, "NameResolver": .driver,
    "Connector": .room, "AccessClient": .room, "Edge": .room, "AccessServer": .room, "ControlServer": .room,
    "CloudflaredCommands": .door, "EdgeCommands": .door,
    "cloudflared": .program, "cloudflared-edge": .program,
]

private enum Floor: Int {
    case system, pure, carrier, driver, room, door, program

    /// Only pure targets import their own kind: a wire format may be built from another.
    func mayImport(_ other: Floor) -> Bool {
        switch self {
        case .system: false
        case .pure: other == .pure
        case .carrier: other == .pure
        case .driver, .room, .door, .program: other.rawValue < rawValue
        }
    }
}

/// What a pure target may import from outside: values and codecs, nothing that blocks, logs, sleeps or opens a socket.
private let outsideForPure: Set<String> = ["Foundation", "FoundationEssentials", "NIOCore", "Yams", "Crypto"]

private func imports(in file: HouseTree.SourceFile) -> [String] {
    file.code.lines.filter { $0.contains("import") }.compactMap { line in
        line.firstMatch(
            of:
                /^\s*(?:@\w+(?:\([^)]*\))?\s+)*(?:(?:public|package|internal|fileprivate|private)\s+)?import\s+(?:(?:struct|class|enum|protocol|func|let|var|typealias)\s+)?(\w+)/
        ).map { String($0.1) }
    }
}

private func violations(in files: [HouseTree.SourceFile]) -> [String] {
    files.flatMap { file -> [String] in
        guard let floor = floors[file.target] else { return ["\(file.path): target \(file.target) has no floor"] }
        return imports(in: file).compactMap { imported in
            if let other = floors[imported.replacingUnderscore] {
                return imported == file.target || floor.mayImport(other)
                    ? nil : "\(file.path): \(file.target) must not import \(imported)"
            }
            return floor != .pure || outsideForPure.contains(imported)
                ? nil : "\(file.path): a pure target must not import \(imported)"
        }
    }
}

extension String {
    /// A module is named `cloudflared_edge` where its target is `cloudflared-edge`.
    fileprivate var replacingUnderscore: String { String(map { $0 == "_" ? "-" : $0 }) }
}

@Suite struct ImportTests {
    @Test func `imports point one way, and rooms never import rooms`() throws {
        let broken = try violations(in: HouseTree.sources)
        #expect(broken == [])
    }

    @Test(arguments: [
        ("Sources/Edge/A.swift", "import Connector"),
        ("Sources/EdgeTransport/A.swift", "package import OriginTransport"),
        ("Sources/TunnelWire/A.swift", "internal import Logging"),
        ("Sources/TunnelWire/A.swift", "import struct ByteStream.BytePipe"),
        ("Sources/ByteStream/A.swift", "@testable import EdgeTransport"),
        ("Sources/Newcomer/A.swift", "import NIOCore"),
    ])
    func `a wrong import is caught`(path: String, line: String) {
        #expect(violations(in: [.init(path: path, text: line)]).count == 1)
    }

    @Test(arguments: [
        ("Sources/EdgeTransport/A.swift", "package import ByteStream"),
        ("Sources/Edge/A.swift", "import EdgeTransport"),
        ("Sources/TunnelWire/A.swift", "import CapnProto"),
        ("Sources/TunnelWire/A.swift", "// import Logging"),
        ("Sources/EdgeCommands/A.swift", "import ControlServer"),
    ])
    func `a right import passes`(path: String, line: String) {
        #expect(violations(in: [.init(path: path, text: line)]) == [])
    }
}
