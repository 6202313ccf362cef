# JSON and spatial functions.

== functions
SELECT JSON_ARRAY()
SELECT JSON_ARRAY(1,'a',NULL,TRUE,1.5)
SELECT JSON_OBJECT()
SELECT JSON_OBJECT('k',1,'k2',JSON_ARRAY(1))
SELECT JSON_OBJECT(NULL,1)
SELECT JSON_OBJECT('a')
SELECT JSON_EXTRACT('{"a": 1, "b": [1, 2, {"c": "x"}], "d": null, "e": "é"}','$.a')
SELECT JSON_EXTRACT('{"a": 1, "b": [1, 2, {"c": "x"}], "d": null, "e": "é"}','$.b[2].c')
SELECT JSON_EXTRACT('{"a": 1, "b": [1, 2, {"c": "x"}], "d": null, "e": "é"}','$.b[*]')
SELECT JSON_EXTRACT('{"a": 1, "b": [1, 2, {"c": "x"}], "d": null, "e": "é"}','$.x')
SELECT JSON_EXTRACT('{"a": 1, "b": [1, 2, {"c": "x"}], "d": null, "e": "é"}','$')
SELECT JSON_EXTRACT('{"a": 1, "b": [1, 2, {"c": "x"}], "d": null, "e": "é"}','bad')
SELECT JSON_EXTRACT('bad json','$')
SELECT JSON_EXTRACT(NULL,'$')
SELECT JSON_EXTRACT('{"a": 1, "b": [1, 2, {"c": "x"}], "d": null, "e": "é"}','$**.c')
SELECT JSON_UNQUOTE(JSON_EXTRACT('{"a": 1, "b": [1, 2, {"c": "x"}], "d": null, "e": "é"}','$.e'))
SELECT JSON_UNQUOTE('"a\\n"')
SELECT JSON_KEYS('{"a": 1, "b": [1, 2, {"c": "x"}], "d": null, "e": "é"}')
SELECT JSON_KEYS('[]')
SELECT JSON_LENGTH('{"a": 1, "b": [1, 2, {"c": "x"}], "d": null, "e": "é"}')
SELECT JSON_LENGTH('{"a": 1, "b": [1, 2, {"c": "x"}], "d": null, "e": "é"}','$.b')
SELECT JSON_DEPTH('{"a": 1, "b": [1, 2, {"c": "x"}], "d": null, "e": "é"}')
SELECT JSON_TYPE('{"a": 1, "b": [1, 2, {"c": "x"}], "d": null, "e": "é"}')
SELECT JSON_TYPE('1.5')
SELECT JSON_TYPE('x')
SELECT JSON_VALID('{')
SELECT JSON_CONTAINS('{"a": 1, "b": [1, 2, {"c": "x"}], "d": null, "e": "é"}','1','$.a')
SELECT JSON_CONTAINS('[1,2]','3')
SELECT JSON_CONTAINS_PATH('{"a": 1, "b": [1, 2, {"c": "x"}], "d": null, "e": "é"}','one','$.a','$.z')
SELECT JSON_CONTAINS_PATH('{"a": 1, "b": [1, 2, {"c": "x"}], "d": null, "e": "é"}','all','$.a','$.z')
SELECT JSON_CONTAINS_PATH('{"a": 1, "b": [1, 2, {"c": "x"}], "d": null, "e": "é"}','some','$.a')
SELECT JSON_SEARCH('{"a": 1, "b": [1, 2, {"c": "x"}], "d": null, "e": "é"}','one','x')
SELECT JSON_SEARCH('{"a": 1, "b": [1, 2, {"c": "x"}], "d": null, "e": "é"}','all','%')
SELECT JSON_SET('{"a": 1, "b": [1, 2, {"c": "x"}], "d": null, "e": "é"}','$.a',2,'$.n',3)
SELECT JSON_INSERT('{"a": 1, "b": [1, 2, {"c": "x"}], "d": null, "e": "é"}','$.a',2,'$.n',3)
SELECT JSON_REPLACE('{"a": 1, "b": [1, 2, {"c": "x"}], "d": null, "e": "é"}','$.a',2,'$.n',3)
SELECT JSON_REMOVE('{"a": 1, "b": [1, 2, {"c": "x"}], "d": null, "e": "é"}','$.b[0]')
SELECT JSON_REMOVE('{"a": 1, "b": [1, 2, {"c": "x"}], "d": null, "e": "é"}','$')
SELECT JSON_ARRAY_APPEND('{"a": 1, "b": [1, 2, {"c": "x"}], "d": null, "e": "é"}','$.b',9)
SELECT JSON_ARRAY_INSERT('{"a": 1, "b": [1, 2, {"c": "x"}], "d": null, "e": "é"}','$.b[0]',9)
SELECT JSON_MERGE_PATCH('{"a":1}','{"a":null,"b":2}')
SELECT JSON_MERGE_PRESERVE('[1]','2')
SELECT JSON_MERGE('[1]','[2]')
SELECT JSON_PRETTY('{"a":[1,2]}')
SELECT JSON_DETAILED('{"a":[1,2]}')
SELECT JSON_COMPACT('{ "a" : 1 }')
SELECT JSON_LOOSE('{"a":1}')
SELECT JSON_STORAGE_SIZE('{}')
SELECT JSON_QUOTE('a"b')
SELECT JSON_VALUE('{"a": 1, "b": [1, 2, {"c": "x"}], "d": null, "e": "é"}','$.a')
SELECT JSON_VALUE('{"a": 1, "b": [1, 2, {"c": "x"}], "d": null, "e": "é"}','$.b')
SELECT JSON_QUERY('{"a": 1, "b": [1, 2, {"c": "x"}], "d": null, "e": "é"}','$.b')
SELECT JSON_EXISTS('{"a": 1, "b": [1, 2, {"c": "x"}], "d": null, "e": "é"}','$.a')
SELECT JSON_OVERLAPS('[1,2]','[2,3]')
SELECT JSON_NORMALIZE('{"b":1,"a":2}')
SELECT JSON_EQUALS('{"a":1}','{"a": 1}')
SELECT JSON_SCHEMA_VALID('{"type":"object"}','{}')
SELECT 1 MEMBER OF ('[1,2]')
SELECT CAST('[1]' AS JSON)
SELECT CAST('bad' AS JSON)
SELECT JSON_EXTRACT('{"a": 1, "b": [1, 2, {"c": "x"}], "d": null, "e": "é"}','$.b[last]')
SELECT JSON_EXTRACT('{"a": 1, "b": [1, 2, {"c": "x"}], "d": null, "e": "é"}','$.b[-1]')
SELECT JSON_EXTRACT('{"a": 1, "b": [1, 2, {"c": "x"}], "d": null, "e": "é"}','$.b[0 to 1]')

== tables
SELECT id, doc FROM docs ORDER BY id
SELECT id, doc->'$.name', doc->>'$.name' FROM docs ORDER BY id
SELECT JSON_ARRAYAGG(id), JSON_OBJECTAGG(id, name) FROM people WHERE id < 4
SELECT id, JSON_EXTRACT(doc, '$.n') + 1 FROM docs ORDER BY id
SELECT * FROM docs WHERE JSON_CONTAINS(doc, '"a"', '$.tags') ORDER BY id
SELECT * FROM JSON_TABLE('[{"a":1,"b":"x"},{"a":2}]', '$[*]' COLUMNS (n FOR ORDINALITY, a INT PATH '$.a', b VARCHAR(5) PATH '$.b' DEFAULT '"none"' ON EMPTY)) AS t
SELECT d.id, t.* FROM docs d, JSON_TABLE(d.doc, '$.tags[*]' COLUMNS (tag VARCHAR(5) PATH '$')) AS t ORDER BY d.id, tag
SELECT * FROM JSON_TABLE('bad', '$[*]' COLUMNS (a INT PATH '$')) t
SELECT JSON_TYPE(doc), JSON_LENGTH(doc), JSON_DEPTH(doc) FROM docs ORDER BY id
SELECT id FROM docs ORDER BY doc, id
SELECT doc, COUNT(*) FROM docs GROUP BY doc ORDER BY 2, 1
SELECT DISTINCT JSON_EXTRACT(doc, '$.name') FROM docs ORDER BY 1
SELECT j, j->'$.a' FROM strings ORDER BY id

== spatial
SELECT ST_AsText(ST_GeomFromText('POINT(1 2)'))
SELECT ST_GeomFromText('POINT(1 2)')
SELECT POINT(1,2)
SELECT ST_GeomFromText('bad')
SELECT ST_AsBinary(POINT(1,2))
SELECT ST_AsGeoJSON(POINT(1,2))
SELECT ST_GeomFromGeoJSON('{"type":"Point","coordinates":[1,2]}')
SELECT ST_X(POINT(1,2)), ST_Y(POINT(1,2))
SELECT ST_Distance(POINT(0,0), POINT(3,4))
SELECT ST_Contains(ST_GeomFromText('POLYGON((0 0,4 0,4 4,0 4,0 0))'), POINT(1,1))
SELECT ST_Area(ST_GeomFromText('POLYGON((0 0,4 0,4 4,0 4,0 0))'))
SELECT ST_Length(ST_GeomFromText('LINESTRING(0 0,1 1)'))
SELECT ST_Buffer(POINT(0,0), 1) IS NULL
SELECT ST_Centroid(ST_GeomFromText('POLYGON((0 0,4 0,4 4,0 4,0 0))'))
SELECT ST_Envelope(ST_GeomFromText('LINESTRING(0 0,1 1)'))
SELECT ST_GeometryType(POINT(1,2))
SELECT ST_SRID(POINT(1,2))
SELECT ST_IsEmpty(POINT(1,2))
SELECT ST_Union(POINT(1,2), POINT(3,4))
SELECT ST_Intersects(POINT(1,2), POINT(1,2))
SELECT ST_Within(POINT(1,1), POINT(2,2))
SELECT ST_AsText(ST_Intersection(ST_GeomFromText('LINESTRING(0 0,2 2)'), ST_GeomFromText('LINESTRING(0 2,2 0)')))
SELECT MBRContains(POINT(1,1), POINT(1,1))
SELECT ST_NumPoints(ST_GeomFromText('LINESTRING(0 0,1 1)'))
SELECT ST_AsText(LINESTRING(POINT(0,0), POINT(1,1)))
SELECT ST_AsText(ST_GeomFromText('GEOMETRYCOLLECTION(POINT(1 1))'))
SELECT ST_Simplify(ST_GeomFromText('LINESTRING(0 0,1 0.1,2 0)'), 1)
SELECT ST_IsValid(ST_GeomFromText('POLYGON((0 0,1 1,1 0,0 0))'))
SELECT ST_GeoHash(1,2,5)
SELECT ST_Distance_Sphere(POINT(0,0), POINT(1,1))
SELECT ST_GeomFromText('POINT(1 2)', 4326)
SELECT ST_ConvexHull(ST_GeomFromText('MULTIPOINT(0 0,1 1,0 1)'))
SELECT GeomFromText('POINT(1 1)')
SELECT AsText(POINT(1,1))
SELECT ST_AsText(NULL)
SELECT POINT('a', 2)
SELECT * FROM places ORDER BY id
SELECT id, ST_AsText(p), ST_AsText(g) FROM places ORDER BY id
SELECT p FROM places WHERE ST_X(p) > 0 ORDER BY id
SHOW COLUMNS FROM places
SELECT COUNT(p), ST_AsText(MIN(p)) FROM places
